"""Pictures of what a plan does: load by chute group and ten minutes. Needs the optional matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubctl.core.plannew import NewPlan
    from hubctl.core.volumes import Ints

SLOTS_AN_HOUR = 6
INCHES_A_PANEL = 7


class PictureError(Exception):
    """There is no matplotlib, or the file cannot be written; the text says what to do."""


def draw_plan(made: NewPlan, file: Path) -> None:
    """Mean load of the days that could come, before and after."""
    from hubctl.core.planmeasure import group_loads

    n_groups, n_days = made.worth.n_groups, made.days.shape[1]
    names = [group.name for group in made.made.groups]
    loads = [
        group_loads(made.days.sum(axis=1), group, n_groups) // n_days
        for group in (made.before, made.made.group)
    ]
    titles = (f"before: {made.worth.before_is}", f"after: {made.made.name}")
    draw_loads(loads, titles, names, file)


def draw_loads(loads: Sequence[Ints], titles: Sequence[str], names: Sequence[str], file: Path) -> None:
    """Loads side by side in one scale.

    Parameters
    ----------
    loads : sequence of int64 array, shape (n_chutes, n_slots)
        Parcels.
    titles : sequence of str
        One a panel.
    names : sequence of str
        Of the chutes.
    file : Path
        Its ending says the format.

    Raises
    ------
    PictureError
    """
    figure = _figure(len(loads), len(names))
    panels = figure.subplots(1, len(loads), sharey=True, squeeze=False)[0]
    top = max(int(load.max()) for load in loads)
    for panel, load, title in zip(panels, loads, titles, strict=True):
        image = panel.imshow(
            load, aspect="auto", vmin=0, vmax=max(top, 1), cmap="viridis", interpolation="nearest"
        )
        panel.set_title(f"{title}\nbusiest ten minutes {int(load.max()):,}")
        panel.set_xticks(range(0, load.shape[1], 4 * SLOTS_AN_HOUR), [f"{h:02}:00" for h in range(0, 24, 4)])
        panel.set_xlabel("time of day")
    step = max(len(names) // 48, 1)
    panels[0].set_yticks(range(0, len(names), step), names[::step], fontsize=7)
    figure.colorbar(image, ax=list(panels), label="parcels in ten minutes")
    try:
        figure.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise PictureError(f"{file}: cannot be drawn: {error}") from None


def _figure(n_panels: int, n_names: int) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PictureError("needs matplotlib: pip install 'hubctl[pictures]'") from None
    height = min(max(n_names // 6, 4), 12)
    return Figure(figsize=(INCHES_A_PANEL * n_panels, height), layout="constrained")
