"""Releases of npm packages, each in a directory of its own below build/sdk/, kept between runs."""
import subprocess

import harness


class Missing(Exception):
    """Why something cannot run here, as a sentence."""


def together(name, versions):
    """versions: package -> version, installed in one directory of this name -> it, with node_modules in it."""
    directory = harness.REPOSITORY / 'build/sdk' / name
    wanted = [f'{package}@{version}' for package, version in versions.items()]
    marker = directory / 'installed'
    if marker.exists() and marker.read_text(encoding='utf-8').split() == wanted:
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(['npm', 'install', '--prefix', str(directory), *wanted, '--no-audit', '--no-fund',
                               '--ignore-scripts'], capture_output=True, text=True, timeout=300, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as problem:
        raise Missing(f'npm cannot install {" ".join(wanted)}: {problem}') from None
    if done.returncode != 0:
        raise Missing(f'npm cannot install {" ".join(wanted)}: {(done.stderr.strip().splitlines() or ["no reason"])[-1]}')
    marker.write_text(' '.join(wanted), encoding='utf-8')
    return directory


def installed(package, version):
    """-> the directory with this package in its node_modules."""
    return together(f'{package}-{version}', {package: version})
