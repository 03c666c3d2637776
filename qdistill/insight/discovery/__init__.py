"""Discovery: charges, closed sets and their algebra, discrete symmetries, intertwiners, laws.

Nothing is named in advance. A dictionary of operators is given, and the combinations that do not
change are found: see `find_charges` and `find_closure`. `structure` and `recognise` tell which
algebra they form. `find_symmetries` scans families of operations, such as mirrors about any point,
and `intertwine` looks for an operator that maps the evolution in one potential to that in another.
`find_law` reads the Hamiltonian itself from recorded frames, with functions that have no form, and
makes an emulator of it; `find_masses` reads masses by axis and channel, and a few further terms.

    >>> import jax, jax.numpy as jnp
    >>> from qdistill import Grid, System, rollout
    >>> from qdistill.physics import packets
    >>> from qdistill.teacher import chebyshev
    >>> system = System(Grid(256, 40.0, "continuum"), dt=0.2, bounds=(0.0, 31.0))
    >>> x = system.grid.positions() - 20
    >>> v = jnp.minimum(0.01 * x**4, 30.0)
    >>> places, speeds = jnp.linspace(17.0, 23.0, 6), jnp.linspace(1.5, -1.0, 6)
    >>> psi = jax.vmap(lambda x0, k: packets.gaussian(system.grid, x0, 1.5, k))(places, speeds)
    >>> later = jax.vmap(lambda each: rollout(chebyshev(system), each[None], v, 20))(psi)
    >>> frames = jnp.concatenate([psi[:, None], later], axis=1).swapaxes(0, 1)
    >>> dictionary = make_dictionary(system, v, degree=2)
    >>> numbers = measure(dictionary, frames, system.grid.cell)
    >>> print(find_charges(list(dictionary), numbers))
    T + V
"""

from qdistill.insight.discovery import (
    algebra,
    charges,
    intertwiners,
    laws,
    masses,
    operations,
    scans,
    weyl,
)
from qdistill.insight.discovery._readable import in_words, reduce
from qdistill.insight.discovery.algebra import (
    Structure,
    list_brackets,
    recognise,
    structure,
)
from qdistill.insight.discovery.charges import (
    Charges,
    Closure,
    count,
    find_charges,
    find_closure,
    make_dictionary,
    measure,
)
from qdistill.insight.discovery.intertwiners import (
    Intertwiner,
    Terms,
    advance,
    apply_terms,
    intertwine,
    make_terms,
)
from qdistill.insight.discovery.laws import (
    Function,
    Law,
    LawEmulator,
    find_law,
    largest_wavenumber,
)
from qdistill.insight.discovery.masses import Masses, find_masses
from qdistill.insight.discovery.operations import (
    Family,
    find_period,
    make_families,
    make_reflections,
    move,
)
from qdistill.insight.discovery.scans import Found, find_symmetries, follow
from qdistill.insight.discovery.weyl import bracket, monomials, name_of, operate

__all__ = [
    "Charges",
    "Closure",
    "Family",
    "Found",
    "Function",
    "Intertwiner",
    "Law",
    "LawEmulator",
    "Masses",
    "Structure",
    "Terms",
    "advance",
    "algebra",
    "apply_terms",
    "bracket",
    "charges",
    "count",
    "find_charges",
    "find_closure",
    "find_law",
    "find_masses",
    "find_period",
    "find_symmetries",
    "follow",
    "in_words",
    "intertwine",
    "intertwiners",
    "largest_wavenumber",
    "laws",
    "list_brackets",
    "make_dictionary",
    "make_families",
    "make_reflections",
    "make_terms",
    "masses",
    "measure",
    "monomials",
    "move",
    "name_of",
    "operate",
    "operations",
    "recognise",
    "reduce",
    "scans",
    "structure",
    "weyl",
]
