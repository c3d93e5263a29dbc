import json
from dataclasses import asdict, fields, replace
from itertools import takewhile

import pytest

from aevb.errors import UserError
from harness.experiments.choices import EVIDENCE
from harness.experiments.config import Config
from harness.experiments.paper import FIGURE2, FIGURE3
from harness.experiments.protocols import CHANGEABLE, PROTOCOLS, one_value_each, protocol_config
from harness.runs.curve import grid


def small(protocol, dataset):
    return protocol_config(protocol, dataset, method="aevb", n_latent=10, seed=0)


AUTHOR = small("author", "mnist")


def test_equal_configs_have_equal_ids_and_any_change_another():
    base = AUTHOR
    assert base.id == replace(base).id
    ids = {base.id}
    other = {
        "dataset": "x", "method": "wake_sleep", "n_latent": 3, "seed": 1, "data_sha256": "0",
        "n_samples": 2, "pixel_scale": 9.0, "split": "chronological", "binarization": "static", "decoder": "gaussian",
        "hidden": (3,), "batch_size": 3, "auto_steps": 3, "prior_weight": 0.5, "first_point": 9,
        "evaluation_points": 9, "points_per_decade": 3, "measure": "marginal_log_likelihood", "n_train": 8,
        "chain_leapfrog": 9, "chain_step_size": 0.5, "weight_steps": 9, "posterior_leapfrog": 9,
        "posterior_burn_in": 9, "posterior_samples": 9, "posterior_starts": 9, "posterior_fit": "full",
        "posterior_jitter": 0.5, "decoder_log_var_factor": 0.5, "decoder_log_var_zero": True, "protocol": "x",
        "precision": "bfloat16", "paper_points": True, "encoder_activation": "softplus",
        "decoder_activation": "softplus", "encoder_init_factor": 5.0, "decoder_bias_zero": False,
        "encoder_log_var_factor": 0.5, "prior_on_encoder": False, "extra_leapfrog": 0, "posterior_step_size": 0.5,
        "posterior_tuning": "every_move", "estimator": "b", "decoder_log_var": "hidden",
        "posterior_chains": "paper_points", "learner": (("beta", 2.0),), "decoder_arguments": (("scale", 0.2),),
    }  # fmt: skip
    other = asdict(small("paper", "mnist")) | other
    for field in fields(Config):
        assert other[field.name] != getattr(base, field.name), field.name
        ids.add(replace(base, **{field.name: other[field.name]}).id)
    assert len(ids) == len(fields(Config)) + 1


def test_a_config_survives_its_file():
    for protocol in PROTOCOLS:
        config = small(protocol, "frey_face")
        assert Config.from_json(config.to_json()) == config


def test_a_config_of_another_version_is_refused():
    text = AUTHOR.to_json().replace('"warm_up"', '"warmup"')
    with pytest.raises(UserError, match="warmup"):
        Config.from_json(text)


def test_a_config_of_an_older_version_keeps_its_id():
    values = json.loads(AUTHOR.to_json())
    del values["posterior_jitter"]
    assert Config.from_json(json.dumps(values)).id == AUTHOR.id


def test_the_author_protocol_is_what_the_evidence_says():
    mnist, frey = small("author", "mnist"), small("author", "frey_face")
    assert (mnist.hidden, mnist.decoder, mnist.batch_size, mnist.pixel_scale) == ((500,), "bernoulli", 100, 255)
    assert (frey.hidden, frey.decoder, frey.batch_size, frey.pixel_scale) == ((200,), "gaussian", 500, 256)
    assert (frey.decoder_log_var, frey.decoder_log_var_factor, frey.decoder_log_var_zero) == ("hidden", 1.0, False)
    assert (mnist.encoder_activation, frey.encoder_activation, frey.decoder_activation) == (
        "tanh",
        "softplus",
        "softplus",
    )
    for config in (mnist, frey):
        assert (config.estimator, config.n_samples, config.warm_up, config.init_std) == ("a", 1, 101, 0.01)
        assert (config.encoder_log_var_factor, config.encoder_log_var_zero) == (1.0, True)
        assert (config.prior_on_encoder, config.prior_on_biases, config.binarization) == (True, False, "none")


def test_wake_sleep_has_the_recognition_model_of_the_library():
    for dataset, activation in {"mnist": "tanh", "frey_face": "softplus"}.items():
        config = protocol_config("author", dataset, method="wake_sleep", n_latent=10, seed=0)
        assert (config.encoder_log_var_factor, config.encoder_activation) == (0.1, activation)
        assert config.decoder_activation == activation


def test_step_sizes_are_chosen_for_each_curve():
    etas = {
        (c.dataset, c.n_latent, c.method): c.step_size for c in FIGURE2.configs("author", ["mnist", "frey_face"], [0])
    }
    assert {name: eta for name, eta in etas.items() if eta != 0.02} == {
        ("mnist", 5, "aevb"): 0.01,
        ("frey_face", 2, "aevb"): 0.01,
        ("mnist", 20, "wake_sleep"): 0.01,
    }
    figure3 = {(c.n_train, c.method): c.step_size for c in FIGURE3.configs("author", ["mnist"], [0])}
    assert {name: eta for name, eta in figure3.items() if eta != 0.1} == {
        (50_000, "aevb"): 0.02,
        (50_000, "wake_sleep"): 0.02,
    }


def test_the_paper_protocol_is_the_text():
    for config in (small("paper", "mnist"), small("paper", "frey_face")):
        assert (config.batch_size, config.estimator, config.step_size, config.warm_up) == (100, "b", "auto", 0)
        assert (config.init_std, config.prior_on_biases, config.prior_on_encoder) == (0.1, True, False)
        assert (config.encoder_activation, config.encoder_log_var_factor) == ("tanh", 1.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_choice_has_evidence_and_names_fields_of_a_config(protocol):
    known = {field.name for field in fields(Config)}
    for choice in PROTOCOLS[protocol]:
        assert choice.evidence
        assert {*choice.evidence} <= {*EVIDENCE}
        assert {*choice.fields, *choice.where} <= known
        assert choice.why.endswith(".")


def test_every_choice_is_made_for_some_curve_of_the_figures():
    configs = [
        (protocol, asdict(config))
        for protocol in PROTOCOLS
        for figure, datasets in ((FIGURE2, ["mnist", "frey_face"]), (FIGURE3, ["mnist"]))
        for config in figure.configs(protocol, datasets, [0])
    ]
    for protocol, choices in PROTOCOLS.items():
        for choice in choices:
            chosen = [config for name, config in configs if name == protocol and choice.holds(config)]
            assert any(choice.fields.items() <= config.items() for config in chosen), choice


def test_one_and_one_point_zero_are_one_config():
    assert replace(AUTHOR, init_std=1).id == replace(AUTHOR, init_std=1.0).id != AUTHOR.id


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("binarization=dynamic", "binarization", "dynamic"),
        ("hidden=[30,20]", "hidden", (30, 20)),
        ("step_size=auto", "step_size", "auto"),
        ("step_size=1", "step_size", 1.0),
        ("encoder_log_var_zero=false", "encoder_log_var_zero", False),
        ("warm_up=7", "warm_up", 7),
    ],
)
def test_a_protocol_can_be_changed_by_name(change, field, value):
    config = small(f"author+{change}", "mnist")
    assert getattr(config, field) == value
    assert type(getattr(config, field)) is type(value)
    assert config.protocol == f"author+{change}"


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ("batch_size=1e2", "batch_size=100"),
        ("batch_size=100.0", "batch_size=100"),
        ("warm_up=0e9", "warm_up=0"),
        ("first_point=1.5E3", "first_point=1500"),
        ("first_point=123456789012345678.0", "first_point=123456789012345678"),
        ("hidden=[5e2,20.0]", "hidden=[500,20]"),
        ("hidden=[5e2, 1e1]", "hidden=[500, 10]"),
        ("batch_size=1e2+step_size=1e-1", "batch_size=100+step_size=1e-1"),
    ],
)
def test_a_whole_number_is_the_same_however_it_is_written(change, plain):
    config, same = small(f"author+{change}", "mnist"), small(f"author+{plain}", "mnist")
    assert config == same
    assert config.id == same.id
    assert config.protocol == f"author+{plain}"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("batch_size=1.5e0", "batch_size must be a whole number, got 1.5:"),
        ("batch_size=1e-2", "batch_size must be a whole number, got 0.01:"),
        ("batch_size=-1e2", "batch_size must be a whole number, got -100.0:"),
        ("batch_size=1e400", "batch_size must be a whole number, got inf:"),
        ("batch_size=1e39", "batch_size must be at most 1e+06, got 1000000000000000000000000000000000000000:"),
        ("batch_size=1e999999999999", "batch_size must be a whole number, got inf:"),
        ("batch_size=1e2x", "batch_size must be a whole number, got '1e2x':"),
        ("hidden=[1.5e0]", "hidden must be a list of widths"),
        ("hidden=5e2", "hidden must be a list of widths"),
    ],
)
def test_a_number_that_is_not_whole_is_refused_however_it_is_written(change, says):
    with pytest.raises(UserError) as error:
        small(f"author+{change}", "mnist")
    assert says in str(error.value)


@pytest.mark.parametrize("change", ["warm_up=5+warm_up=6", "learner.beta=1+learner.beta=2"])
def test_a_field_that_a_user_changes_twice_must_have_one_value(change):
    with pytest.raises(UserError, match=r"one value, got .* in 'author"):
        one_value_each(f"author+{change}")
    assert one_value_each("author+warm_up=5+warm_up=5.0") == "author+warm_up=5+warm_up=5"


@pytest.mark.parametrize(
    "change",
    ["", "warm_up", "warmup=3", "seed=1", "samples=9", "binarization=sometimes", "hidden=500", "hidden=[0]",
     "hidden=[1.5]", "step_size=-1", "step_size=fast", "step_size=0", "step_size=NaN",
     "warm_up=-1", "warm_up=1.5", "warm_up=true",
     "init_std=Infinity", "encoder_log_var_zero=1", "batch_size=-1", "estimator=c", "decoder=laplace",
     "prior_weight=x"],
)  # fmt: skip
def test_a_wrong_change_is_refused_in_one_line(change):
    with pytest.raises(UserError) as error:
        small(f"author+{change}", "mnist")
    assert "must be" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["learner.flag", "decoder.x"])
@pytest.mark.parametrize(
    ("value", "remedy"), [("True", "write true"), ("False", "write false"), ("None", "leave the change out")]
)
def test_a_constant_of_python_is_no_text_for_a_class(name, value, remedy):
    with pytest.raises(UserError) as error:
        small(f"author+{name}={value}", "mnist")
    assert f"+{name} must be a number, true, false or a text" in str(error.value)
    assert str(error.value).endswith(f"got {value}: {remedy}")


def test_true_false_numbers_and_texts_reach_a_class_as_json_has_them():
    changes = "learner.off=false+learner.on=true+learner.rate=2e-1+learner.kind=fast+decoder.off=false"
    found = small(f"author+{changes}", "mnist")
    assert found.learner == (("kind", "fast"), ("off", False), ("on", True), ("rate", 0.2))
    assert found.decoder_arguments == (("off", False),)


def test_every_protocol_choice_can_be_changed():
    assert {"split", "binarization", "decoder_log_var", "prior_weight", "init_std", "warm_up", "step_size"} <= {
        *CHANGEABLE
    }


def test_figure_2_has_the_papers_eighteen_curves():
    configs = FIGURE2.configs("author", ["mnist", "frey_face"], [0])
    panels = {(c.dataset, c.n_latent, c.method) for c in configs}
    assert len(configs) == len(panels) == 18
    assert FIGURE2.scales["quick"] == 1_000_000


@pytest.mark.parametrize("first", [1, 2, 99, 100, 101, 10_000])
@pytest.mark.parametrize("points_per_decade", [1, 3, 10, 1_000])
def test_the_grid_has_every_point_from_the_first_on_once(points_per_decade, first):
    points = [*takewhile(lambda point: point <= 10**6, grid(points_per_decade, first))]
    wanted = {round(10 ** (k / points_per_decade)) for k in range(6 * points_per_decade + 1)}
    assert points == sorted(point for point in wanted if point >= first)
