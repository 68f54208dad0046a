"""A test of many small things: one item of the suite, whose failure lists all that fail."""

import functools


def for_every(values, label=str):
    """Run a test of one value on all of them: thousands of items cost more than what they check."""

    def of_test(test):
        @functools.wraps(test)
        def run():
            failed = []
            for value in values:
                try:
                    test(value)
                except AssertionError as error:
                    failed.append(f"{label(value)}: {error}")
            assert not failed, "\n\n".join(failed)

        del run.__wrapped__  # pytest would look for the value among its fixtures
        return run

    return of_test
