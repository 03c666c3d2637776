import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import _checks as checks

NAN, INF = float("nan"), float("inf")


def finite(**values):
    checks.require_finite(**values)


def positive(**values):
    checks.require_positive(**values)


def between(**values):
    checks.require_between(-1, 2.5, **values)


def at_least(**values):
    checks.require_at_least(2, **values)


def one_of(**values):
    checks.require_one_of(["lattice", "continuum"], **values)


def of_shape(**values):
    checks.require_shape((2, 3), **values)


@pytest.mark.parametrize(
    ("require", "value"),
    [
        (finite, -3.5),
        (finite, (1, 2.0)),
        (finite, jnp.zeros((2, 2))),
        (positive, 1e-30),
        (positive, (1, np.float32(2))),
        (between, -1),
        (between, np.array([0.0, 2.5])),
        (at_least, 2),
        (at_least, np.int64(5)),
        (one_of, "lattice"),
        (of_shape, np.zeros((2, 3))),
    ],
)
def test_what_is_allowed_passes(require, value) -> None:
    require(a=value)


@pytest.mark.parametrize(
    ("require", "value", "message"),
    [
        (finite, NAN, "Argument `a` must be finite, but is nan."),
        (finite, (1.0, -INF), "Argument `a` must be finite, but is (1.0, -inf)."),
        (positive, 0, "Argument `a` must be finite and positive, but is 0."),
        (positive, -2.0, "Argument `a` must be finite and positive, but is -2.0."),
        (positive, INF, "Argument `a` must be finite and positive, but is inf."),
        (positive, (1.0, NAN), "Argument `a` must be finite and positive, but is (1.0, nan)."),
        (between, -1.5, "Argument `a` must be between -1 and 2.5, but is -1.5."),
        (between, NAN, "Argument `a` must be between -1 and 2.5, but is nan."),
        (between, (0, 3), "Argument `a` must be between -1 and 2.5, but is (0, 3)."),
        (at_least, 1, "Argument `a` must be at least 2, but is 1."),
        (at_least, 3.0, "Argument `a` must be an integer, but is 3.0."),
        (at_least, True, "Argument `a` must be an integer, but is True."),
        (at_least, "3", "Argument `a` must be an integer, but is '3'."),
        (one_of, "grid", "Argument `a` must be one of 'lattice', 'continuum', but is 'grid'."),
        (
            of_shape,
            np.zeros((3, 2)),
            "Argument `a` must be of shape (2, 3), but is of shape (3, 2).",
        ),
        (of_shape, 1.0, "Argument `a` must be of shape (2, 3), but is of shape ()."),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(require, value, message) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the whole message is compared.
        require(a=value)
    assert str(caught.value) == message


@pytest.mark.parametrize("require", [finite, positive, between, at_least, one_of, of_shape])
def test_every_argument_is_looked_at(require) -> None:
    good = {one_of: "lattice", of_shape: np.zeros((2, 3))}.get(require, 2)
    bad = {one_of: "grid", of_shape: np.zeros(2)}.get(require, NAN)
    with pytest.raises(ValueError, match="`second`"):
        require(first=good, second=bad)


@pytest.mark.parametrize("require", [finite, positive, between])
@pytest.mark.parametrize("transform", [jax.jit, jax.vmap, jax.grad])
def test_traced_values_pass(require, transform) -> None:
    def checked(a):
        require(a=a, pair=(a, 1.0))
        return a

    bad = jnp.full(1 if transform is jax.vmap else (), jnp.inf)
    transform(checked)(bad)


def test_the_shape_of_a_traced_array_is_known() -> None:
    with pytest.raises(ValueError, match=r"of shape \(3,\)"):
        jax.jit(lambda a: of_shape(a=a))(jnp.zeros(3))


def test_only_tracers_are_unknown() -> None:
    assert checks.is_known((1.0, np.ones(2), jnp.ones(2)))
    assert not jax.jit(lambda a: jnp.array(checks.is_known((1.0, a))))(1.0)


def test_a_refusal_ends_with_its_cure() -> None:
    with pytest.raises(ValueError, match=r"^Argument `a` must be odd, but is 2\. Add 1\.$"):
        checks.refuse("a", "odd", 2, "Add 1.")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"a": np.zeros(3), "b": [1.0]},
            r"`p\['b'\]\[0\]` must be an array of numbers, but",
        ),
        ({}, r"`p` must be made of arrays, but is \{\}"),
        ("two", "`p` must be an array of numbers, but is 'two'"),
        ({"a": np.array(["b"])}, r"`p\['a'\]` must be an array of numbers"),
    ],
)
def test_what_is_no_array_in_a_tree_is_named(tree, message) -> None:
    checks.require_arrays(p={"a": np.zeros(3), "key": jax.random.key(0)})
    with pytest.raises(ValueError, match=message):
        checks.require_arrays(p=tree)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (
            {"a": np.zeros(2)},
            r"`p\['a'\]` must be .* real .* \(3,\), but is .* \(2,\)",
        ),
        ({"a": np.zeros(3, int)}, r"`p\['a'\]` must be .* real .* but is .* whole numbers"),
        ({}, r"`p\['a'\]` must be an array of real numbers of shape \(3,\), but is missing"),
        ({"a": None}, "but is missing"),
        ({"a": np.zeros(3), "b": np.zeros(1)}, r"`p` must be made of \['a'\], but is with \['b'\]"),
        (3, "but is missing"),
    ],
)
def test_a_tree_of_another_layout_is_refused_by_the_place(tree, message) -> None:
    wanted = {"a": jax.ShapeDtypeStruct((3,), jnp.float32)}
    checks.require_alike(wanted, p={"a": np.zeros(3)})
    with pytest.raises(ValueError, match=message):
        checks.require_alike(wanted, p=tree)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], r"`r` must be a dictionary, but is \[\]"),
        ({}, "`r` must be a dictionary with 'n', but is one with"),
        ({"n": True, "e": {}}, r"`r\['n'\]` must be an integer, but is True"),
        (
            {"n": 1, "e": {"a": ["x"]}},
            r"`r\['e'\]\['a'\]\[0\]` must be a number or None, but",
        ),
        ({"n": 1, "e": {"a": 1.0}}, r"`r\['e'\]\['a'\]` must be a list, but is 1.0"),
    ],
)
def test_a_record_of_another_form_is_refused_by_the_place(record, message) -> None:
    form = {"n": int, "e": {str: [float | None]}}
    checks.require_record(form, r={"n": np.int64(2), "e": {"a": [1, None, NAN]}, "more": "x"})
    with pytest.raises(ValueError, match=message):
        checks.require_record(form, r=record)


SPOILT = np.zeros((3, 40), np.complex64)
SPOILT[1, 7] = SPOILT[2, 0] = NAN


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (
            lambda: finite(a=SPOILT),
            "Argument `a` must be finite, but is not in 2 of 120 entries: a[1, 7] is (nan+0j).",
        ),
        (
            lambda: between(a=jnp.arange(12.0)),
            "Argument `a` must be between -1 and 2.5, but is not in 9 of 12 entries: a[3] is 3.0.",
        ),
        (
            lambda: positive(a=SPOILT),
            "Argument `a` must be made of real numbers, but is an array of complex numbers "
            "(complex64) of shape (3, 40).",
        ),
        (
            lambda: checks.refuse("a", "odd", np.zeros(9)),
            "Argument `a` must be odd, but is an array of real numbers (float64) of shape (9,).",
        ),
        (
            lambda: checks.require_complex("n_t *n_x", a=np.zeros((2, 2))),
            "Argument `a` must be an array of complex numbers of shape (n_t, *n_x), but is an "
            "array of real numbers (float64) of shape (2, 2).",
        ),
    ],
)
def test_large_arrays_are_described_and_not_printed(refused, message) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the whole message is compared.
        refused()
    assert str(caught.value) == message


def test_complex_arrays_pass_by_their_number_of_axes() -> None:
    one = np.zeros((2, 3, 4), np.complex64)
    checks.require_complex("n m k", a=one)
    checks.require_complex("n *n_x", a=one)
    with pytest.raises(ValueError, match=r"of shape \(n, m\), but is .* of shape \(2, 3, 4\)"):
        checks.require_complex("n m", a=one)


def test_a_missing_coupling_is_seen_next_to_large_energies() -> None:
    v = np.zeros((2, 2, 3), np.float32)
    v[0, 0], v[1, 1], v[0, 1] = -600, -600.01, 0.005
    with pytest.raises(ValueError, match="Hermitian"):
        checks.require_hermitian(v=v)
    v[1, 0] = 0.005 + 1e-4
    checks.require_hermitian(v=v)
