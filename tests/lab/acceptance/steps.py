"""The words acceptance cases are written in: what is given, what is done, what must be true then."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tests.lab.acceptance.world import World, content
from tests.lab.client import Record, properties
from tests.lab.plan import MASTER_REGION

BURGOS = ("Burgos",)
CACERES = ("Caceres",)
BOTH = (*BURGOS, *CACERES)
NO_PROPERTIES: Mapping[str, str] = {}


class Step(Protocol):
    """One line of a case."""

    def perform(self, world: World) -> None:
        """Do it, or fail with AssertionError."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image, given or expected. ``kernel`` and ``ramdisk`` are names of images in the same region."""

    name: str = "qatesting01"
    content: str | None = "01"
    public: bool = True
    props: Mapping[str, str] = field(default_factory=lambda: NO_PROPERTIES)
    kernel: str = ""
    ramdisk: str = ""
    format: str = "raw"
    account: str = "syncer"

    def but(self, **changes: Any) -> Image:
        """The same with some fields changed."""
        return replace(self, **changes)

    def create(self, world: World, region: str) -> None:
        """Make it in a region."""
        client = world.lab.client(region, self.account)
        references = {
            key: client.named(name)[-1]["id"]
            for key, name in (("kernel_id", self.kernel), ("ramdisk_id", self.ramdisk))
            if name
        }
        client.create(
            self.name,
            None if self.content is None else content(self.content),
            visibility="public" if self.public else "private",
            disk_format=self.format,
            container_format="bare" if self.format == "raw" else self.format,
            **self.props,
            **references,
        )

    def check(self, world: World, region: str, listing: list[Record]) -> None:
        """Fail unless exactly one image of this name, owner and content is there, and is as it should be."""
        client = world.lab.client(region)
        owner = world.lab.account(self.account, client.region.target).project_id
        found = [one for one in listing if one["name"] == self.name and one["owner"] == owner]
        if self.content is not None:
            active = [one for one in found if one["status"] == "active"]
            found = [one for one in active if client.data(one["id"]) == content(self.content)]
        number = f"{region}: {len(found)} images {self.name} with content {self.content}"
        assert len(found) == 1, f"{number}\n{world.said}"
        self._compare(found[0], listing, region)

    def _compare(self, record: Record, everything: list[Record], region: str) -> None:
        names = {one["id"]: one["name"] for one in everything}
        seen = properties(record)
        references = [names.get(seen.pop(key, ""), "") for key in ("kernel_id", "ramdisk_id")]
        have = (record["visibility"] == "public", seen, references, record["disk_format"])
        want = (self.public, dict(self.props), [self.kernel, self.ramdisk], self.format)
        assert have == want, f"{region}: {self.name} is {have}, expected {want}"


@dataclass(frozen=True, slots=True, init=False)
class Given:
    """Images that exist, on the master unless ``at`` names regions."""

    images: tuple[Image, ...]
    at: tuple[str, ...]

    def __init__(self, *images: Image, at: tuple[str, ...] = (MASTER_REGION,)) -> None:
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "at", at)

    def perform(self, world: World) -> None:
        """Create them in order."""
        for region in self.at:
            for image in self.images:
                image.create(world, region)


@dataclass(frozen=True, slots=True, init=False)
class Conf:
    """Options of the target master (or another section) from now on; None removes one."""

    section: str
    options: Mapping[str, object | None]

    def __init__(self, section: str = "master", /, **options: object | None) -> None:
        object.__setattr__(self, "section", section)
        object.__setattr__(self, "options", options)

    def perform(self, world: World) -> None:
        """Change the file that the next command reads."""
        world.sections.setdefault(self.section, {}).update(self.options)


@dataclass(frozen=True, slots=True, init=False)
class Run:
    """Run a program of the product; ``code`` is the expected exit code."""

    program: str
    arguments: tuple[str, ...]
    code: int

    def __init__(self, program: str, *arguments: str, code: int = 0) -> None:
        object.__setattr__(self, "program", program)
        object.__setattr__(self, "arguments", arguments)
        object.__setattr__(self, "code", code)

    def perform(self, world: World) -> None:
        """Run it and look at its exit code."""
        said = world.run(self.program, *self.arguments)
        assert said.code == self.code, said


def sync(*arguments: str, code: int = 0) -> Run:
    """Synchronise with the product's own command line."""
    return Run("run.py", "sync", *arguments, code=code)


def original(*arguments: str, code: int = 0) -> Run:
    """Synchronise with the stand-in for the original program."""
    return Run("sync.py", *arguments, code=code)


@dataclass(frozen=True, slots=True, init=False)
class Status:
    """The status report, by either program, shows exactly these rows (all regions alike, or by region)."""

    program: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]

    def __init__(
        self,
        *everywhere: str,
        original: bool = True,
        burgos: tuple[str, ...] = (),
        caceres: tuple[str, ...] = (),
    ) -> None:
        """The rows are texts ``status name``, in the order of the report."""
        program = ("sync.py", "--show-status") if original else ("run.py", "status")
        rows = {"Burgos": everywhere or burgos, "Caceres": everywhere or caceres}
        object.__setattr__(self, "program", program)
        object.__setattr__(self, "rows", rows)

    def perform(self, world: World) -> None:
        """Print and parse it."""
        said = world.run(*self.program)
        seen: dict[str, list[str]] = {region: [] for region in self.rows}
        for row in csv.reader(io.StringIO(said.stdout)):
            if row:
                status, region, name = row
                seen[region].append(f"{status} {name}")
        assert seen == {region: list(rows) for region, rows in self.rows.items()}, said


@dataclass(frozen=True, slots=True)
class Recreate:
    """Replace an image of the master by another one of the same name (a new id)."""

    image: Image

    def perform(self, world: World) -> None:
        """Delete and create."""
        client = world.lab.client(MASTER_REGION)
        for old in client.named(self.image.name):
            client.delete(old["id"])
        self.image.create(world, MASTER_REGION)


@dataclass(frozen=True, slots=True, init=False)
class Edit:
    """Change metadata of an image of the master. ``kernel`` and ``ramdisk`` are names."""

    name: str
    fields: Mapping[str, str]

    def __init__(self, name: str, /, **fields: str) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "fields", fields)

    def perform(self, world: World) -> None:
        """Patch it."""
        client = world.lab.client(MASTER_REGION)
        references = {"kernel": "kernel_id", "ramdisk": "ramdisk_id"}
        changes: dict[str, Any] = {
            references.get(key, key): client.one(value)["id"] if key in references else value
            for key, value in self.fields.items()
        }
        client.update(client.one(self.name)["id"], **changes)


@dataclass(frozen=True, slots=True, init=False)
class Expect:
    """Regions hold these images, each once, as described."""

    at: tuple[str, ...]
    images: tuple[Image, ...]

    def __init__(self, at: tuple[str, ...], *images: Image) -> None:
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "images", images)

    def perform(self, world: World) -> None:
        """Look at each."""
        for region in self.at:
            listing = world.lab.client(region).images()
            for image in self.images:
                image.check(world, region, listing)


@dataclass(frozen=True, slots=True, init=False)
class Names:
    """Regions hold images of exactly these names (with repetitions) and no others."""

    at: tuple[str, ...]
    names: tuple[str, ...]

    def __init__(self, at: tuple[str, ...], *names: str) -> None:
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "names", names)

    def perform(self, world: World) -> None:
        """List them."""
        for region in self.at:
            seen = sorted(str(one["name"]) for one in world.lab.client(region).images())
            assert seen == sorted(self.names), f"{region}: {seen}\n{world.said}"


@dataclass(frozen=True, slots=True, init=False)
class Says:
    """The last command printed these texts; ``{R}`` stands for each destination region in turn."""

    texts: tuple[str, ...]
    at: tuple[str, ...]

    def __init__(self, *texts: str, at: tuple[str, ...] = BOTH) -> None:
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "at", at)

    def perform(self, world: World) -> None:
        """Search for them."""
        for text in self.texts:
            for region in self.at:
                wanted = text.replace("{R}", region)
                assert wanted in world.said.text, f"{wanted!r} is missing\n{world.said}"


@dataclass(frozen=True, slots=True)
class SaysNot:
    """The last command printed nothing that matches."""

    pattern: str

    def perform(self, world: World) -> None:
        """Search for it."""
        assert not re.search(self.pattern, world.said.text), world.said


@dataclass(frozen=True, slots=True)
class Nothing:
    """The last run changed nothing in the regions, and said so in the way scripts look for."""

    at: tuple[str, ...] = BOTH
    silent: bool = False

    def perform(self, world: World) -> None:
        """Compare the regions before and after it."""
        after = world.destinations()
        for region in self.at:
            assert after[region] == world.before[region], f"{region} has changed\n{world.said}"
            if not self.silent:
                assert f"{region}: Region is synchronized." in world.said.text, world.said
                assert f"{region}: Image uploaded" not in world.said.text, world.said


@dataclass(frozen=True, slots=True)
class Same:
    """An image of the regions is still the very one that was there before the last run."""

    name: str
    at: tuple[str, ...] = BOTH

    def perform(self, world: World) -> None:
        """Compare ids."""
        after = world.destinations()
        for region in self.at:
            old = [one["id"] for one in world.before[region] if one["name"] == self.name]
            new = [one["id"] for one in after[region] if one["name"] == self.name]
            assert old == new, f"{region}: {self.name} was {old}, is {new}\n{world.said}"


@dataclass(frozen=True, slots=True)
class Ordered:
    """Texts appear in the last output in this order."""

    texts: tuple[str, ...]

    def perform(self, world: World) -> None:
        """Look for each behind the one before."""
        position = 0
        for text in self.texts:
            position = world.said.text.find(text, position)
            assert position >= 0, f"{text!r} is missing or out of order\n{world.said}"


@dataclass(frozen=True, slots=True)
class Logs:
    """The parallel run left one log a region, which contains these texts (``{R}``: the region)."""

    texts: tuple[str, ...] = ()
    at: tuple[str, ...] = BOTH

    def perform(self, world: World) -> None:
        """Read the newest log directory; its texts count as said from now on."""
        newest = max(world.directory.glob("sync_*"), key=lambda path: path.stat().st_mtime_ns)
        assert re.fullmatch(r"sync_\d{8}_\d{4}(\D.*)?", newest.name), newest
        assert sorted(path.name for path in newest.iterdir()) == sorted(f"{region}.txt" for region in self.at)
        said = ""
        for region in self.at:
            log = (newest / f"{region}.txt").read_text(encoding="utf-8")
            for text in self.texts:
                assert text.replace("{R}", region) in log, log
            said += log
        world.said = replace(world.said, stdout=world.said.stdout + said)


@dataclass(frozen=True, slots=True)
class Case:
    """One acceptance case; several of one number are variants of it."""

    number: int
    title: str
    steps: tuple[Step, ...]
    variant: str = ""

    @property
    def id(self) -> str:
        """Name in the test report."""
        return f"{self.number:03}-{self.variant}" if self.variant else f"{self.number:03}"
