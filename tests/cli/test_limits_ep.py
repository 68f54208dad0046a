import pytest

from dsv3calc.exit_status import ExitStatus

PAPER = ("limits", "ep", "--model", "deepseek-v3", "--tokens", "32", "--convention", "isca25")


def test_the_paper_on_h800(program):
    values = program.json(*PAPER, "--hardware", "h800").values
    assert values["limits.ep.all_to_all_time"] == 0.00012096
    assert values["limits.ep.time_per_layer"] == 0.00024192
    assert values["limits.ep.tpot"] == pytest.approx(0.01475712, rel=1e-12)
    assert values["limits.ep.tokens_per_second"] == pytest.approx(67.76, abs=0.005)


def test_the_paper_on_nvl72(program):
    found = program.json(*PAPER, "--hardware", "gb200-nvl72", "--link", "scale-up")
    assert found.values["limits.ep.all_to_all_time"] == pytest.approx(6.72e-6, rel=1e-15)
    assert found.values["limits.ep.tpot"] == pytest.approx(0.00081984, rel=1e-12)
    assert found.values["limits.ep.tokens_per_second"] == pytest.approx(1219.75, abs=0.005)
    assert any("256 devices" in text for text in found.data["warnings"])


def test_the_other_count_stands_beside(program):
    asked = ("limits", "ep", "--model", "deepseek-v3", "--hardware", "h800")
    plain, paper = program.json(*asked).values, program.json(*PAPER, "--hardware", "h800").values
    assert plain["limits.ep.isca25.tpot"] == paper["limits.ep.tpot"]
    assert paper["limits.ep.as_configured.tpot"] == plain["limits.ep.tpot"]
    assert plain["limits.ep.tpot"] != paper["limits.ep.tpot"]


def test_latency_of_a_network(program):
    asked = ("limits", "ep", "--model", "deepseek-v3", "--hardware", "h800")
    none, some = (
        program.json(*asked, *more).values["limits.ep.all_to_all_time"]
        for more in ((), ("--latency", "3.7us"))
    )
    assert some - none == pytest.approx(7.4e-6)


def test_mtp(program):
    values = program.json(
        *PAPER, "--hardware", "h800", "--mtp-acceptance", "85%", "--mtp-cost", "2%"
    ).values
    assert values["limits.ep.mtp_gain"] == pytest.approx(1.85 / 1.02)
    assert values["limits.ep.tokens_per_second_with_mtp"] == pytest.approx(
        67.7639 * 1.85 / 1.02, rel=1e-5
    )


def test_a_table(program):
    assert "as-configured" in program.ok(*PAPER, "--hardware", "h800").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "llama-3.1-8b", "--hardware", "h800"], "no routed experts"),
        (["--model", "deepseek-v3", "--hardware", "h800", "--convention", "isca"], "isca25"),
        (["--model", "deepseek-v3", "--hardware", "h800", "--link", "pcie"], "scale-out"),
        (["--model", "deepseek-v3", "--hardware", "h800", "--tokens", "0"], "--tokens"),
        (["--model", "deepseek-v3", "--hardware", "h800", "--mtp-cost", "1"], "--mtp-acceptance"),
        (["--model", "deepseek-v3", "--hardware", "h800", "--mtp-acceptance", "2"], "from 0 to 1"),
        (
            ["--model", "deepseek-v3", "--hardware", "b200", "--set", "hardware.scale_out=null"],
            "no scale-out link",
        ),
        ([*PAPER[2:], "--hardware", "h800", "--latency", "1us"], "fixes formats and latency"),
    ],
)
def test_wrong_options(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "limits", "ep", *arguments).err


def test_the_model_is_an_argument_or_an_option(program):
    option = program.json("limits", "ep", "--model", "deepseek-v3", "--hardware", "h800")
    argument = program.json("limits", "ep", "deepseek-v3", "--hardware", "h800")
    assert argument.data == option.data
    both = ("limits", "ep", "deepseek-v3", "--model", "deepseek-v3", "--hardware", "h800")
    for arguments in (both, ("limits", "ep", "--hardware", "h800")):
        assert "one model" in program.refused(ExitStatus.USAGE, *arguments).err


def test_a_network_between_nodes_is_not_the_link_inside_one(program):
    ask = ("limits", "ep", "deepseek-v3", "--hardware", "h800", "--link", "scale-up", "--network")
    told = program.json(*ask, "infiniband-ndr").data["warnings"]
    assert any("joins nodes" in text for text in told)
    assert not any("joins nodes" in t for t in program.json(*ask, "nvlink").data["warnings"])


V3 = ("limits", "ep", "deepseek-v3", "--hardware", "h800")


def test_a_link_that_other_traffic_uses_too(program):
    """arXiv:2505.09343, section 4.5: free up to 13 GB/s; 33 of 50 GB/s left beside 30."""
    shared = {
        traffic: program.json(*PAPER, "--hardware", "h800", "--host-traffic", traffic).values
        for traffic in ("0", "13GB/s", "30GB/s")
    }
    tpots = [values["limits.ep.tpot"] for values in shared.values()]
    assert tpots[0] == tpots[1] == pytest.approx(0.01475712)
    assert tpots[2] == pytest.approx(0.01475712 * 50 / 33.015)
    found = program.refused(ExitStatus.USAGE, *V3, "--host-traffic", "64GB/s")
    assert "leaves no bandwidth" in found.err
    found = program.refused(ExitStatus.USAGE, *V3[:-1], "b200", "--host-traffic", "1GB/s")
    assert "hardware.host.link" in found.err


def test_messages(program):
    values = program.json(*PAPER, "--hardware", "h800").values
    rate = 2 * 32 * 9 / 0.00012096
    assert values["limits.ep.messages_per_second"] == pytest.approx(rate)
    assert values["limits.ep.proxy_seconds"] == pytest.approx(1 / (8 * rate))


def test_work_in_the_network(program):
    values = program.json(*V3, "--in-network").values
    share = max(7392 + 9 * 14336, 9 * 7392 + 14336) / (9 * (7392 + 14336))
    assert values["limits.ep.in_network_share"] == pytest.approx(share)
    assert values["limits.ep.in_network_tpot"] == pytest.approx(values["limits.ep.tpot"] * share)


def test_when_a_code_pays(program):
    given = (*V3, "--combine", "logfmt-8", "--codec-overhead")
    for overhead, pays in (("50%", True), ("100%", False)):
        values = program.json(*given, overhead).values
        assert (values["limits.ep.codec_factor"] < 1) is pays
        assert (float(overhead[:-1]) / 100 < values["limits.ep.codec_break_even"]) is pays
    assert "not encoded" in program.refused(ExitStatus.USAGE, *V3, "--codec-overhead", "1").err


@pytest.mark.parametrize(("context", "binds"), [("128", "the network"), ("32768", "computation")])
def test_what_binds(program, context, binds):
    found = program.json(*V3, "--context", context)
    values = found.values
    given = ("--batch", "32", "--context", context, "--dp", "256", "--ep", "256")
    timed = program.json("time", *V3[2:], *given).values
    assert values["limits.ep.compute_time"] == timed["time.groups.1.layer.bound"]
    assert any(text.startswith(binds) for text in found.data["notes"])
    longer = max(values["limits.ep.compute_time"], values["limits.ep.all_to_all_time"])
    assert values["limits.ep.tpot_with_computation"] == pytest.approx(58 * 2 * longer)
