"""Takes a single file out of a zip archive (a wheel or a jar).

    python3 unpack.py ARCHIVE DIRECTORY MEMBER NAME

The member ends up in DIRECTORY as NAME. Exit: 0 done, 1 not; the reason is on stderr.
"""
import shutil
import sys
import zipfile
from pathlib import Path


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: unpack.py ARCHIVE DIRECTORY MEMBER NAME")
    archive, directory, member, name = sys.argv[1:]
    try:
        with zipfile.ZipFile(archive) as package:
            # zipfile compares the checksum when the last byte is read.
            with package.open(member) as source, open(Path(directory) / name, "xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    except KeyError:
        sys.exit(f"{archive} holds no {member}")
    except (zipfile.BadZipFile, EOFError) as error:
        sys.exit(f"{archive} is damaged: {error}")
    except (OSError, RuntimeError, NotImplementedError) as error:
        sys.exit(f"{archive}: {error}")


if __name__ == "__main__":
    main()
