"""The label formats a site can accept: those that come with the program, and packs that partners bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hubctl._lookup import FORMS_MAX
from hubctl.core.config import ConfigError, Fault, Source
from hubctl.core.formats import FORM, Format, Forms, Pack
from hubctl.core.packcheck import check_pack
from hubctl.core.shape import read_shape

BUILT_IN_PACK = "hubctl"
N_PACKS_MAX = 10_000


class Loaded(NamedTuple):
    """A checked pack."""

    name: str
    pack: Pack
    forms: list[Forms]  # of each form of each format, in order


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Label formats in the order of their index.

    Parameters
    ----------
    packs : sequence of Loaded
        The first is the one that comes with the program.
    """

    packs: Sequence[Loaded]
    formats: tuple[Format, ...] = field(init=False)
    owners: tuple[str, ...] = field(init=False)  # the pack of each format

    def __post_init__(self) -> None:
        """Number the formats."""
        pairs = [(row, loaded.name) for loaded in self.packs for row in loaded.pack.formats]
        object.__setattr__(self, "formats", tuple(row for row, _ in pairs))
        object.__setattr__(self, "owners", tuple(name for _, name in pairs))

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each format by its name."""
        return {row.name: i for i, row in enumerate(self.formats)}

    @cached_property
    def namespaces(self) -> dict[str, str]:
        """What each namespace of destinations holds."""
        return {space: says for one in self.packs for space, says in one.pack.namespaces.items()}

    @cached_property
    def of_pack(self) -> dict[str, list[str]]:
        """The formats of each pack that partners bring, by the pack's name."""
        return {one.name: [row.name for row in one.pack.formats] for one in self.packs[1:]}

    @cached_property
    def forms(self) -> Forms:
        """Every form of every format, shape (n_forms,), in order; priority as the index."""
        rows: Forms = np.concatenate([row.view(np.uint8) for one in self.packs for row in one.forms]).view(
            FORM
        )
        n_rows = iter([len(row) for one in self.packs for row in one.forms])
        counts = [sum(next(n_rows) for _ in row.forms) for row in self.formats]
        rows["format"] = rows["priority"] = np.repeat(np.arange(len(counts)), counts)
        return rows

    def service_name(self, label_format: int, code: str) -> str | None:
        """What a carrier calls the service of a code; None: it has published no name."""
        services = self._pack_of[label_format].services
        names = {form.service.names for form in self.formats[label_format].forms if form.service}
        known = (services[name][code] for name in sorted(filter(None, names)) if code in services[name])
        return next(known, None)

    @cached_property
    def _pack_of(self) -> list[Pack]:
        return [one.pack for one in self.packs for _ in one.pack.formats]

    def accepted(self, names: Sequence[str]) -> list[str]:
        """Formats by their names; the name of a pack stands for all of its formats."""
        return [name for given in names for name in self._meant(given)]

    def _meant(self, name: str) -> list[str]:
        return [name] if name in self.index else self.of_pack.get(name, [name])

    def compile(self, names: Sequence[str]) -> Forms:
        """The forms of accepted formats, as `LaneTable` takes them.

        Parameters
        ----------
        names : sequence of str
            Names of formats or packs, the best first.

        Returns
        -------
        FORM array, shape (n_forms,)
            Sorted by priority.

        Raises
        ------
        ValueError
            An unknown name, a name given twice, or more than FORMS_MAX forms in all.
        """
        accepted = self.accepted(names)
        self._refuse(accepted)
        ranks = np.full(len(self.formats), -1)
        ranks[[self.index[name] for name in accepted]] = np.arange(len(accepted))
        rows = self.forms[ranks[self.forms["format"]] >= 0]
        rows["priority"] = ranks[rows["format"]]
        if len(rows) > FORMS_MAX:
            raise ValueError(f"label formats have {len(rows)} forms together: must be 0 to {FORMS_MAX}")
        sorted_rows: Forms = rows[np.argsort(rows["priority"], kind="stable")]
        return sorted_rows

    def _refuse(self, accepted: list[str]) -> None:
        unknown = [name for name in accepted if name not in self.index]
        if unknown:
            of = ", ".join(self.index) if len(self.index) < 100 else f"{len(self.index)} known"
            raise ValueError(f"unknown label formats {', '.join(unknown)}: must be of {of}")
        if len(set(accepted)) < len(accepted):
            raise ValueError(f"label formats {', '.join(accepted)}: one is given twice")


def _built_in() -> Catalogue:
    file = Path(str(files("hubctl.core").joinpath("labels.toml")))
    source = Source.read(file)
    pack = read_shape(Pack, source)
    forms = check_pack(pack, None, source, {})
    source.raise_if_faulty()
    return Catalogue([Loaded(BUILT_IN_PACK, pack, forms)])


BUILT_IN = _built_in()


def load_packs(place: Path) -> Catalogue:
    """The formats that come with the program, then those of packs.

    Parameters
    ----------
    place : Path
        A directory of TOML files, or one file; a pack is called what its file is called.

    Raises
    ------
    ConfigError
        With every fault of every pack.
    """
    return _catalogue(pack_files(place), Source.read)


def packs_of(texts: Mapping[str, str]) -> Catalogue:
    """As `load_packs`, of the text of each file."""
    return _catalogue(map(Path, texts), lambda file: Source.parsed(file, texts[str(file)]))


def _catalogue(names: Iterable[Path], read: Callable[[Path], Source]) -> Catalogue:
    faults: list[Fault] = []
    taken = {row.name: BUILT_IN_PACK for row in BUILT_IN.formats}
    packs = [pack for file in names for pack in _pack(file, read, taken, faults)]
    if faults:
        raise ConfigError(faults)
    return Catalogue([*BUILT_IN.packs, *packs])


def pack_files(place: Path) -> list[Path]:
    """The files of packs: those of a directory in the order of their names, or the one."""
    found = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    if not 1 <= len(found) <= N_PACKS_MAX:
        message = f"has {len(found)} label packs: must be 1 to {N_PACKS_MAX}"
        raise ConfigError([Fault(str(place), 1, "", "", "", message, "files with the suffix .toml")])
    return found


def _pack(
    file: Path, read: Callable[[Path], Source], taken: dict[str, str], faults: list[Fault]
) -> Iterable[Loaded]:
    """The pack of a file; none if it is faulty. Its formats' names are taken from then on."""
    base = BUILT_IN.packs[0].pack
    try:
        source = read(file)
        pack = read_shape(Pack, source)
        forms = check_pack(pack, base, source, taken)
        source.raise_if_faulty()
    except ConfigError as error:
        faults.extend(error.faults)
        return
    taken.update((row.name, file.stem) for row in pack.formats)
    yield Loaded(file.stem, _joined(pack, base), forms)


def _joined(pack: Pack, base: Pack) -> Pack:
    """A pack with the services of another beside its own."""
    return pack.model_copy(update={"services": {**base.services, **pack.services}})
