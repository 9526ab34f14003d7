"""In the picture of a pod nothing hides another, however much there is."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pods import container, deployment
from tests.unit.recorder import Object
from tools.report.layout import WIDTH, laid_out
from tools.report.manifests import workloads
from tools.report.model import Workload

AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.integers(0, 10**12))
NAMES = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=63),
    min_size=1,
    max_size=7,
    unique=True,
)


@st.composite
def pods(draw: st.DrawFn) -> Workload:
    """Any pod, its first containers being init containers."""
    volumes = [f"volume-{place}" for place in range(draw(st.integers(0, 8)))]
    names = draw(NAMES)

    def one(name: str) -> Object:
        limits, requests = draw(AMOUNTS), draw(AMOUNTS)
        mounted: list[Any] = draw(
            st.lists(st.sampled_from(volumes), unique=True) if volumes else st.just([])
        )
        return container(
            name,
            resources={"limits": limits, "requests": requests},
            env=[
                {"name": "TARGET", "value": name}
                for name in draw(st.lists(st.sampled_from(names), max_size=1))
            ],
            volumeMounts=[{"name": volume, "mountPath": f"/{volume}"} for volume in mounted],
        )

    first, *others = map(one, names)
    item = deployment(
        "it",
        first,
        initContainers=others,
        shareProcessNamespace=True,
        volumes=[{"name": volume, "emptyDir": {}} for volume in volumes],
    )
    return workloads([item])[0]


@given(pods())
@settings(max_examples=200, deadline=None)
def test_everything_has_its_place(workload: Workload) -> None:
    found = laid_out(workload)
    assert [card.container for card in found.cards] == list(workload.containers)
    assert len(found.arrows) == len(workload.signals)
    for one, other in pairwise(found.cards):
        assert one.y + one.height < other.y
    for card in found.cards:
        assert (card.x, card.x + card.width) == (found.left, found.right)
        assert card.width > WIDTH / 2
        for bar in card.bars:
            assert card.y < bar.y < card.y + card.height - 14
            assert 0 <= bar.request <= card.width - 24
            assert 0 <= bar.limit <= card.width - 24
    bottom = found.cards[-1].y + found.cards[-1].height
    for arrow in found.arrows:
        assert 6 < arrow.x < found.left - 8
    for line in found.lines:
        assert line.box > bottom
        bottom = line.box + 34
        assert found.right < line.x < WIDTH - 6
        for tie in line.ties:
            card = next(card for card in found.cards if card.y < tie.y < card.y + card.height)
            assert line.volume.name in [mount.volume for mount in card.container.mounts]
            assert (tie.x, line.y <= tie.y) == (line.x, True)
    # A line passes on the right of all boxes that it doesn't end at.
    for place, line in enumerate(found.lines):
        assert all(12 + other.width < line.x for other in found.lines[: place + 1])
    assert bottom < found.height


@given(pods())
def test_every_mount_is_tied_to_its_volume(workload: Workload) -> None:
    ties = sum(len(line.ties) for line in laid_out(workload).lines)
    assert ties == sum(len(item.mounts) for item in workload.containers)


def test_a_bar_is_as_long_as_its_share_of_the_pods_largest_amount() -> None:
    def with_cpu(name: str, request: str, limit: str) -> Object:
        return container(name, resources={"requests": {"cpu": request}, "limits": {"cpu": limit}})

    one, other = with_cpu("one", "100m", "1"), with_cpu("other", "250m", "500m")
    cards = laid_out(workloads([deployment("it", one, other)])[0]).cards
    room = cards[0].width - 24
    bars = [card.bars[0] for card in cards]
    assert [(bar.label, bar.text) for bar in bars] == [
        ("CPU", "100m to 1000m"),
        ("CPU", "250m to 500m"),
    ]
    assert [(bar.request / room, bar.limit / room) for bar in bars] == [(0.1, 1), (0.25, 0.5)]
    assert cards[0].bars[1].text == "none, no limit"


def test_a_name_that_has_no_room_is_cut() -> None:
    card = laid_out(workloads([deployment("it", container("a" * 63))])[0]).cards[0]
    assert card.name.endswith("a…")
    assert len(card.name) * 7.8 < card.width - 40
