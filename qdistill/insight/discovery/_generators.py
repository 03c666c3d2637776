"""Generators with free coefficients, and their fit to recorded frames.

A generator is H = T(k) + sum_j c_j O_j. One frame is propagated by a splitting of fourth order, and
differentiated with respect to every coefficient, so that frames may be far apart: phases of many
times pi are no obstacle. A fit minimises the error one frame after each recorded one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill.insight.discovery import _fits as fits
from qdistill.insight.discovery._fits import ACCURACY, Normal, Numbers
from qdistill.insight.discovery._recordings import Recording
from qdistill.insight.discovery._terms import (
    COLUMNS,
    COUPLING,
    CROWDING,
    DENSITY,
    DRIVE,
    FIELDS,
    FORCE,
    FORMS,
    NONLOCAL,
    OF_K,
    POWERS,
    UNKNOWN,
    splines,
)
from qdistill.physics.grid import Scalar
from qdistill.teacher import SCHEMES

# Derivatives are taken in batches of these widths, so that two programs are compiled.
WIDTHS = (4, 12)
Parameters: TypeAlias = dict[str, Any]
# A state, and the share of the frame that has passed.
State: TypeAlias = tuple[Array, Array]


class Model(NamedTuple):
    """A dispersion and further terms, with the values of their coefficients."""

    form: str
    terms: tuple[str, ...]
    values: Float[np.ndarray, " n"]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all coefficients, those of the dispersion first."""
        return (*FORMS[self.form].names, *self.terms)


def begin(form: str, terms: Sequence[str] = ()) -> Model:
    """Return a model before any fit: V with the coefficient 1, and other terms with 0."""
    values = [*FORMS[form].start, *(float(term == COUPLING) for term in terms)]
    return Model(form, tuple(terms), np.array(values))


def energies(recording: Recording, model: Model) -> Float[np.ndarray, " n_k"]:
    """Return the kinetic energy of a model on the FFT grid, with its terms that depend on k."""
    return parameters_of(recording, model)["energies"]


def linearise(recording: Recording, model: Model, others: Sequence[str] = ()) -> Normal:
    """Return the normal equations about a model, with columns of terms that it lacks."""
    parameters, settings = parameters_of(recording, model), _settings(recording)
    names = (*model.names, *others)
    n, made, (few, many) = len(names), [], WIDTHS
    width = few if n <= few else many
    # At least one batch: the residuals come with it.
    size = width * max(-(-n // width), 1)
    tangents = _tangents(recording, model, others, size)
    batches = [
        {name: rows[at : at + width] for name, rows in tangents.items()}
        for at in range(0, size, width)
    ]
    for run in zip(recording.fields, recording.v, recording.psi, strict=True):
        found = [
            _columns(parameters, batch, run, settings, recording.n_substep) for batch in batches
        ]
        columns = np.concatenate([columns for _, columns in found])
        made.append(fits.normal(found[0][0], columns[:n], run[2][1:]))
    return Normal(names, *(np.stack(part) for part in zip(*made, strict=True)))


def fit(recording: Recording, model: Model) -> Model:
    """Return the model with the least one-frame error, by Gauss and Newton's method.

    Args:
      recording: The frames.
      model: A model to begin with.
    """
    found = fits.descend(
        lambda values: linearise(recording, model._replace(values=values)),
        lambda normal, values: model.names,
        model.values,
    )
    return model._replace(values=found)


def resolve(
    recording: Recording, model: Model, accuracy: float = ACCURACY
) -> tuple[Recording, float]:
    """Return the recording with enough substeps for a model, and the squared error of the method.

    The error is the difference to half as long substeps, in the first frame of each run.
    """
    parameters, settings = parameters_of(recording, model), _settings(recording)
    now = np.zeros((2, UNKNOWN[DRIVE].n), recording.v.dtype)

    def ahead(n: int) -> np.ndarray:
        return np.stack(
            [
                _one(parameters, run[0], now, *run[1:], settings, n)
                for run in zip(recording.psi[:, 0], recording.fields, recording.v, strict=True)
            ]
        )

    n, error = fits.refine(ahead, accuracy)
    return recording._replace(n_substep=n), error


class Settings(NamedTuple):
    """Inputs of a propagator besides parameters and fields.

    Attributes:
      k: The wave numbers, 0 for the one that has no sign, (n_x).
      dt: Time from one frame to the next.
      density: Largest |psi|^2.
      weights: Splines of time at both ends of each frame, (n_frame, 2, n_spline).
    """

    k: Numbers
    dt: Numbers
    density: Numbers
    weights: Numbers


def _settings(recording: Recording) -> Settings:
    dtype, n_frame = recording.v.dtype, recording.psi.shape[1] - 1
    ends = recording.dt * (np.arange(n_frame)[:, None] + np.arange(2))
    weights = np.moveaxis(splines(np, recording.ranges.t, UNKNOWN[DRIVE].n, ends), 0, -1)
    numbers = (recording.grid.odd_wavenumbers(), recording.dt, recording.ranges.density[1], weights)
    return Settings(*(np.asarray(each, dtype) for each in numbers))


def parameters_of(recording: Recording, model: Model) -> Parameters:
    """Return the coefficients of a model in the form that `advance` takes."""
    grid, dtype = recording.grid, recording.v.dtype
    given = dict(zip(model.names, model.values, strict=True))
    form = FORMS[model.form]
    own = model.values[: len(form.start)]
    k, odd = np.abs(grid.wavenumbers()), grid.odd_wavenumbers()
    total = form.energies(own, k, grid.dx[0], recording.largest)
    for name, function in OF_K.items():
        total = total + given.get(name, 0.0) * function(odd)
    local = [given.get(name, float(name == COUPLING)) for name in FIELDS]
    density = np.array([given.get(name, 0.0) for name in COLUMNS[CROWDING]])
    density[0] += given.get(DENSITY, 0.0)
    drive = [given.get(name, 0.0) for name in COLUMNS[DRIVE]]
    return {
        "energies": np.asarray(total, dtype),
        "local": np.asarray(local, dtype),
        "density": np.asarray(density, dtype),
        "drive": np.asarray(drive, dtype),
        "nonlocal": np.asarray(given.get(NONLOCAL, 0.0), dtype),
    }


def _tangents(recording: Recording, model: Model, others: Sequence[str], n_row: int) -> Parameters:
    """The derivatives of the parameters, one row for each coefficient, and rows of zeros."""
    grid, dtype = recording.grid, recording.v.dtype
    form, n_k = FORMS[model.form], recording.v.shape[-1]
    made = {
        "energies": np.zeros((n_row, n_k)),
        "local": np.zeros((n_row, len(FIELDS))),
        "density": np.zeros((n_row, UNKNOWN[CROWDING].n)),
        "drive": np.zeros((n_row, UNKNOWN[DRIVE].n)),
        "nonlocal": np.zeros(n_row),
    }
    n_own, k = len(form.start), np.abs(grid.wavenumbers())
    made["energies"][:n_own] = form.slopes(model.values[:n_own], k, grid.dx[0], recording.largest)
    for row, name in enumerate((*model.terms, *others), n_own):
        if name in OF_K:
            made["energies"][row] = OF_K[name](grid.odd_wavenumbers())
        elif name in FIELDS:
            made["local"][row, FIELDS.index(name)] = 1
        elif name in COLUMNS[DRIVE]:
            made["drive"][row, COLUMNS[DRIVE].index(name)] = 1
        elif name in POWERS:
            made["density"][row, POWERS[name]] = 1
        else:
            made["nonlocal"][row] = 1
    return {name: rows.astype(dtype) for name, rows in made.items()}


@jax.jit
def _columns(
    parameters: Parameters,
    tangents: Parameters,
    run: tuple[Array, Array, Array],
    settings: Settings,
    n_substep: Scalar,
) -> tuple[Array, Array]:
    """The residuals of one run, and the derivatives of its predictions."""
    fields, v, psi = run

    def predict(parameters: Parameters) -> Array:
        def one(psi: Array, now: Numbers) -> Array:
            return advance(parameters, psi, now, fields, v, settings, n_substep)

        return jax.vmap(one)(psi[:-1], settings.weights)

    def derivative(tangent: Parameters) -> tuple[Array, Array]:
        return jax.jvp(predict, (parameters,), (tangent,))

    ahead, columns = jax.vmap(derivative, out_axes=(None, 0))(tangents)
    return psi[1:] - ahead, columns


def advance(
    parameters: Parameters,
    psi: Numbers,
    now: Numbers,
    fields: Numbers,
    v: Numbers,
    settings: Settings,
    n_substep: Scalar,
) -> Array:
    """Return one state a frame later.

    A force is linear in time within a frame, `now` has the splines at its ends; `v` enters nonlocal
    terms.
    """
    k, scheme = settings.k, SCHEMES["blanes-moan"]
    h = settings.dt / n_substep
    local = parameters["local"] @ fields
    (begin, end), x = now @ parameters["drive"], fields[FIELDS.index(FORCE)].real

    # The share of the frame that has passed goes with the drifts.
    def kick(state: State, share: Scalar) -> State:
        psi, passed = state
        # In the middle of the kick: losses thin it out meanwhile.
        density = jnp.abs(psi) ** 2 * jnp.exp(share * h * jnp.imag(local))
        # Powers of the density, in units of the largest one but for one factor.
        relative, field = density / settings.density, 0.0
        for coefficient in parameters["density"][::-1]:
            field = coefficient + relative * field
        field = local + density * field + (begin + passed * (end - begin)) * x
        return jnp.exp(-1j * share * h * field) * psi, passed

    def drift(state: State, share: Scalar) -> State:
        psi, passed = state
        turn = jnp.exp(-1j * share * h * parameters["energies"])
        return jnp.fft.ifft(turn * jnp.fft.fft(psi)), passed + share / n_substep

    def act(psi: Array) -> Array:
        # The operator of the Weyl symbol V p^2.
        waves = jnp.fft.fft(psi)
        once, twice = jnp.fft.ifft(k * waves), jnp.fft.ifft(k**2 * waves)
        outer = jnp.fft.ifft(k**2 * jnp.fft.fft(v * psi) + 2 * k * jnp.fft.fft(v * once))
        return jnp.asarray(v * twice + outer) / 4

    def bend(psi: Array) -> Array:
        # The exponential to second order: the term is weak.
        size = -1j * h * parameters["nonlocal"]
        once = act(psi)
        return psi + size * (once + size / 2 * act(once))

    half = len(scheme.drifts) // 2
    kicks, drifts = (jnp.asarray(each[:half], v.dtype) for each in (scheme.kicks, scheme.drifts))
    middle = scheme.kicks[half] / 2

    def ahead(state: State, shares: tuple[Array, Array]) -> tuple[State, None]:
        return drift(kick(state, shares[0]), shares[1]), None

    def back(state: State, shares: tuple[Array, Array]) -> tuple[State, None]:
        return kick(drift(state, shares[1]), shares[0]), None

    def substep(_: Any, state: State) -> State:
        # A palindrome about the nonlocal term. Loops, not lists, are compiled quickly.
        state, _ = jax.lax.scan(ahead, state, (kicks, drifts))
        psi, passed = kick(state, middle)
        state = kick((bend(psi), passed), middle)
        return jax.lax.scan(back, state, (kicks, drifts), reverse=True)[0]

    # If the number is static, it can be differentiated backwards as well.
    return jax.lax.fori_loop(0, n_substep, substep, (psi, jnp.zeros((), v.dtype)))[0]


_one = jax.jit(advance)
