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
