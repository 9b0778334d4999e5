"""The form of a release's archive is that of Python's tarfile, byte for byte."""

from __future__ import annotations

import tarfile

from hypothesis import given
from hypothesis import strategies as st

from node_runtime.releases.files.tar_format import archive_end, header_size, member_header, padding, pax_path
from tests.support.hypothesis_profiles import UNHURRIED
from tests.support.projects.handmade_release import archive_of, member

PARTS = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1, max_size=120)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@UNHURRIED
@given(path=PATHS, size=st.integers(0, 8**11 - 1), mode=st.sampled_from([0o644, 0o755]))
def test_a_header_is_the_one_that_tarfile_writes(path: str, size: int, mode: int) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, mode
    written = member_header(path, size, mode)
    assert written == info.tobuf(tarfile.PAX_FORMAT)
    assert header_size(written[-512:]) == size


@UNHURRIED
@given(sizes=st.lists(st.integers(0, 3000), max_size=8))
def test_an_archive_is_the_one_that_tarfile_writes(sizes: list[int]) -> None:
    files = {f"f{number}": bytes([number + 1]) * size for number, size in enumerate(sizes)}
    blocks = b"".join(member_header(path, len(data), 0o644) + data + padding(len(data)) for path, data in files.items())
    assert blocks + archive_end(len(blocks)) == archive_of([member(path, data) for path, data in files.items()])


@UNHURRIED
@given(record=st.binary(max_size=40) | PATHS.map(lambda path: f"{len(path) + 9} path={path}\n".encode()))
def test_a_pax_record_has_one_path_in_one_form_or_is_none(record: bytes) -> None:
    path = pax_path(record)
    if path is not None:
        assert record == f"{len(record)} path={path}\n".encode()
