"""Public lines of comparisons with published figures and measured times."""

# SPDX-License-Identifier: Apache-2.0
LINES = {
    "reproduce": (
        ("reproduce.closed_form_rows", "1", "Rows with a closed form."),
        ("reproduce.derived_rows", "1", "Rows derived from a model, a layout or a device."),
        ("reproduce.identity_rows", "1", "Rows that check an identity between printed numbers."),
        ("reproduce.form_rows", "1", "Rows that evaluate a printed formula."),
        ("reproduce.fitted_rows", "1", "Rows with a fitted input."),
        ("reproduce.exact", "1", "Rows that agree exactly or to the last printed digit."),
        ("reproduce.within", "1", "Rows that agree within a stated tolerance."),
        ("reproduce.explained", "1", "Rows that cannot be reproduced, with the reason."),
        ("reproduce.failing", "1", "Rows that should be reproduced and are not."),
        ("reproduce.derived_figures", "1", "Derived figures, each counted once."),
        ("reproduce.derived.COMPONENT", "1", "Derived figures with one verdict."),
        ("reproduce.measured", "1", "Figures that were measured."),
        ("reproduce.settings", "1", "Figures that were chosen."),
        ("reproduce.not_covered", "1", "Figures not covered by a formula."),
    ),
    "validate": (
        ("validate.AREA.rows", "1", "Rows predicted by fits that did not use them."),
        (
            "validate.AREA.groups",
            "1",
            "Groups of similar rows, which are left out of a fit together.",
        ),
        ("validate.AREA.points", "1", "Number of single times in these rows."),
        ("validate.AREA.median_abs_error", "ratio", "Median of the unsigned relative errors."),
        (
            "validate.AREA.median_low",
            "ratio",
            "Lower end of its 90 % confidence interval, by groups.",
        ),
        (
            "validate.AREA.median_high",
            "ratio",
            "Upper end of its 90 % confidence interval, by groups.",
        ),
        (
            "validate.AREA.bias",
            "ratio",
            "Median signed error; positive if predictions are too long.",
        ),
        ("validate.AREA.within_10", "ratio", "Share of times predicted within 10 %."),
        ("validate.AREA.within_20", "ratio", "Share of times predicted within 20 %."),
        ("validate.AREA.within_50", "ratio", "Share of times predicted within 50 %."),
        (
            "validate.AREA.roofline_error",
            "ratio",
            "Median unsigned error of a roofline at peak rates.",
        ),
        (
            "validate.AREA.mfu_40_error",
            "ratio",
            "Median unsigned error if training steps are assumed to reach 40 % MFU.",
        ),
    ),
    "calibrate": (
        ("calibrate.entries", "1", "Entries that were fitted."),
        ("calibrate.rows", "1", "Rows that were measured on this device."),
        ("calibrate.seconds", "s", "Time that the measurement took."),
    ),
}
"""Commands -> name, unit and meaning of the lines that they give."""
