"""Damaged, hostile and odd data files are named errors; nothing hangs, grows without bound, runs or changes."""

import io
import os
import pickle
import socket
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aevb.data import array as user_array
from aevb.data import frey_frames, load_dataset, mnist
from aevb.data.files import LARGEST
from aevb.data.mat_file import read_byte_matrix
from aevb.data.pickled_array import read_pickled_array
from aevb.errors import UserError
from tests.bad_input import Tally, campaign, check_message, contents, refused

ROWS = np.random.default_rng(0).random((12, 6), dtype=np.float32)


def npy(shape, dtype="<f4", content=b"", text=None, version=1):
    """A .npy file with any header."""
    header = text or repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(header)) + header + content


def archive(*members, compression=zipfile.ZIP_DEFLATED):
    """A .npz file with any members; a second one of a name is added by its place."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as z:
        for name, content in members:
            z.writestr(name, content)
    return file.getvalue()


def of(saver, *arrays, **named):
    file = io.BytesIO()
    saver(file, *arrays, **named)
    return file.getvalue()


class MakesFolder:
    """Pickles as a call that leaves a trace."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


GOOD = {
    "npy": of(np.save, ROWS),
    "npz": of(np.savez, train=ROWS, test=ROWS),
    "compressed": of(np.savez_compressed, train=ROWS, test=ROWS),
}
FOUR = npy((4, 4), content=bytes(64))
HOSTILE = {
    "10¹² rows": npy((10**12, 10), content=bytes(99)),
    "a negative size": npy((-1, 10), content=bytes(400)),
    "sizes that overflow": npy((2**62, 2**62)),
    "a size beyond any integer": npy((10**30, 2)),
    "no rows of endless width": npy((0, 10**18)),
    "a truth value for a size": npy((True, 2), content=bytes(99)),
    "text for a size": npy(("a", 2)),
    "100 dimensions": npy((1,) * 100, content=bytes(4)),
    "a deep header": npy(None, text=b"{'descr':" + b"[" * 9999 + b"}"),
    "code for a header": npy(None, text=b"__import__('os').mkdir('pwned')"),
    "an unknown version": npy((4, 4), version=9),
    "a header without an end": b"\x93NUMPY\x02\0" + struct.pack("<I", 2**32 - 1) + b"{" * 999,
    "a pickle inside": npy((4, 4), "|O", pickle.dumps(MakesFolder())),
    "records with a pickle inside": npy((4, 4), [("a", "O")], pickle.dumps(MakesFolder())),
    "a bare pickle": pickle.dumps(MakesFolder()),
    "letters of 400 MB": npy((2, 2), "<U100000000"),
    "bytes without length": npy((4, 4), "|S0"),
    "a member that is code": archive(("train.npy", npy((4, 4), "|O", pickle.dumps(MakesFolder()))), ("test.npy", FOUR)),
    "a member that is text": archive(("train.txt", b"0,1")),
    "5,000 members": archive(*((f"{n}.npy", b"") for n in range(5000))),
    "an unknown compression": archive(("train.npy", FOUR)).replace(b"\x08\x00", b"\x63\x00"),
    "an encrypted member": archive(("train.npy", FOUR)).replace(b"\2\x14\3\x14\0\0", b"\2\x14\3\x14\0\1"),
    "two members of one name": archive(("train.npy", FOUR), ("tesin.npy", FOUR)).replace(b"tesin", b"train"),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_array_is_refused(content, tmp_path, monkeypatch, tally: Tally):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npy").write_bytes(content)
    before = contents(tmp_path)
    with refused(tally, "mine.npy"):
        load_dataset("mine.npy")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("compress", [False, True])
def test_an_array_that_memory_would_not_hold_is_refused_before_it_is_read(compress, tmp_path, monkeypatch, tally):
    monkeypatch.setattr(user_array, "LARGEST", 10**6)
    path = tmp_path / "mine.npz"
    content = npy((2**20, 3), "|u1", bytes(3 * 2**20))
    path.write_bytes(archive(("a.npy", content)) if compress else content)
    monkeypatch.setattr(np, "load" if not compress else "asarray", None)
    with refused(tally, "fit in memory"):
        load_dataset(path)


def test_bytes_that_memory_would_not_hold_as_floats_are_refused(tmp_path, monkeypatch, tally: Tally):
    monkeypatch.setattr(user_array, "LARGEST", 10**4)
    np.save(tmp_path / "mine.npy", np.zeros((3000, 2), np.uint8))
    with refused(tally, "fit in memory"):
        load_dataset(tmp_path / "mine.npy")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.fspath(path))


NO_FILES = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "socket": make_socket,
    "link to itself": lambda path: path.symlink_to(path),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "link to a terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to a process's memory": lambda path: path.symlink_to("/proc/self/mem"),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
def test_what_is_no_file_is_refused_and_not_waited_for(make, tmp_path, monkeypatch, tally: Tally):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make(tmp_path / "mine.npy")
    with refused(tally, "mine.npy"):
        load_dataset("mine.npy")
    (tmp_path / "frey_rawface.mat").unlink(missing_ok=True)
    (tmp_path / "mine.npy").rename(tmp_path / "frey_rawface.mat")
    if (tmp_path / "frey_rawface.mat").is_symlink() and make is NO_FILES["link to itself"]:
        return  # renamed, it leads nowhere
    with refused(tally, "frey_rawface.mat"):
        load_dataset("frey_face", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["new\nline.npy", "\udce9.npy", "\x1b[31m.npy", "\u202egnp.npy", "tab\t.npy"])
def test_a_name_that_cannot_be_printed_is_refused(name, tmp_path, tally: Tally):
    (tmp_path / name).write_bytes(GOOD["npy"])
    with refused(tally, "rename it"):
        load_dataset(tmp_path / name)


def test_a_dataset_file_of_any_size_is_not_read_whole(tmp_path, tally: Tally):
    with (tmp_path / "frey_rawface.mat").open("wb") as file:
        file.truncate(100 * LARGEST)
    with refused(tally, "more than"):
        load_dataset("frey_face", data_dir=tmp_path)


@st.composite
def damaged(draw, content):
    """The file with bytes changed, cut out, put in or doubled, or its end missing."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["set", "insert", "remove", "cut", "double"]))
        few = draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8)]))
        if kind == "set":
            content[place : place + len(few)] = few
        elif kind == "insert":
            content[place:place] = few
        elif kind == "remove":
            del content[place : place + draw(st.integers(1, 40))]
        elif kind == "cut":
            del content[place:]
        else:
            content[place:place] = content[place : place + 40]
    return bytes(content)


@pytest.mark.parametrize("form", GOOD)
@campaign(150)
@given(data=st.data())
def test_a_damaged_array_is_read_as_good_rows_or_refused(form, data, tmp_path, tally: Tally):
    content = data.draw(damaged(GOOD[form]))
    path = tmp_path / "mine.npy"
    path.write_bytes(content)
    try:
        dataset = load_dataset(path)
    except UserError as error:
        check_message(str(error))
        tally("bad inputs")
        assert path.read_bytes() == content
    else:
        for rows in (dataset.train, dataset.test):
            assert rows.ndim == 2
            assert bool(((rows >= 0) & (rows <= 1)).all())


MATRIX = np.random.default_rng(1).integers(0, 256, (7, 5), dtype=np.uint8)
READERS = {
    "mat": (frey_frames.mat_from_frames(MATRIX), lambda content: read_byte_matrix(content, "ff", "here", "mend it")),
    "pickle": (pickle.dumps(MATRIX, protocol=2), lambda content: read_pickled_array(content, "here")),
    "idx": (
        (mnist.FOLDER / "t10k-labels-idx1-ubyte.gz").read_bytes(),
        lambda content: mnist._content(content, mnist.FOLDER / "t10k-labels-idx1-ubyte.gz"),
    ),
}


@pytest.mark.parametrize("form", READERS)
@campaign(150)
@given(data=st.data())
def test_a_damaged_dataset_file_is_an_array_or_refused(form, data, tally: Tally):
    good, read = READERS[form]
    content = data.draw(damaged(good))
    try:
        found = read(content)
    except UserError as error:
        check_message(str(error))
        tally("bad inputs")
    else:
        assert isinstance(found, np.ndarray)
        assert form != "idx" or content == good, "damage to MNIST went unseen"


LAUGHS = [[]]
for _ in range(60):
    LAUGHS = [LAUGHS, LAUGHS]
NEST = pickle.dumps(LAUGHS, 2)[2:-1]  # 2⁶⁰ lists, if written out
MADE = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R"
HOSTILE_PICKLES = {
    "a memo of 32 GB": b"\x80\x02K\x01r\xff\xff\xff\x7f.",
    "a memo of 64 GB, in letters": b"I1\np4000000000\n.",
    "a dtype of 2⁶⁰ lists": b"\x80\x02cnumpy\ndtype\n(" + NEST + b"tR.",
    "a byte order of 2⁶⁰ lists": b"\x80\x02cnumpy\ndtype\n(X\x02\0\0\0u1tR(K\x03" + NEST + b"tb.",
    "a state of 2⁶⁰ lists": MADE + NEST + b"b.",
    "a hundred thousand nested lists": b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
    "bytes without end": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + b"1" * 99,
    "a new attribute for a helper": b"\x80\x02c_codecs\nencode\nN}X\x07\0\0\0__new__NsR\x86b.",
    "another default for a helper": b"\x80\x02c_codecs\nencode\nN}X\x0c\0\0\0__defaults__)s\x86b.",
}


@pytest.mark.parametrize("name", HOSTILE_PICKLES)
def test_a_hostile_pickle_is_refused_at_no_cost_and_leaves_the_reader_as_it_was(name, tally: Tally):
    with refused(tally, "memo" if "memo" in name else "here"):
        read_pickled_array(HOSTILE_PICKLES[name], "here")
    assert np.array_equal(read_pickled_array(pickle.dumps(MATRIX, protocol=2), "here"), MATRIX)
