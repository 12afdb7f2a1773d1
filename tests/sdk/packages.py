"""Releases of npm packages, each in a directory of its own below build/sdk/, kept between runs."""
import subprocess

import harness


class Missing(Exception):
    """Why something cannot run here, as a sentence."""


def installed(package, version):
    """-> the directory with node_modules in it."""
    directory = harness.REPOSITORY / 'build/sdk' / f'{package}-{version}'
    marker = directory / 'node_modules' / package / 'package.json'
    if marker.exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(['npm', 'install', '--prefix', str(directory), f'{package}@{version}', '--no-audit',
                               '--no-fund', '--ignore-scripts'], capture_output=True, text=True, timeout=300, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as problem:
        raise Missing(f'npm cannot install {package} {version}: {problem}') from None
    if done.returncode != 0 or not marker.exists():
        raise Missing(f'npm cannot install {package} {version}: {(done.stderr.strip().splitlines() or ["no reason"])[-1]}')
    return directory
