"""Gives a job's script the host name and the address of its driver.

Python imports this module at its start, because its directory is on PYTHONPATH.
"""

import os
import socket

_NAME = os.environ["LOCALCLOUD_DRIVER_HOST_NAME"]
_ADDRESS = os.environ["LOCALCLOUD_DRIVER_ADDRESS"]
_OWN_NAMES = {_NAME, _NAME.split(".", 1)[0], _ADDRESS}

_gethostbyname = socket.gethostbyname
_gethostbyname_ex = socket.gethostbyname_ex
_gethostbyaddr = socket.gethostbyaddr
_getaddrinfo = socket.getaddrinfo
_uname = os.uname


def _to_address(host):
    return _ADDRESS if host in _OWN_NAMES else host


def _own_gethostbyname_ex(host):
    return (_NAME, [], [_ADDRESS]) if host in _OWN_NAMES else _gethostbyname_ex(host)


def _own_gethostbyaddr(host):
    return (_NAME, [], [_ADDRESS]) if host in _OWN_NAMES else _gethostbyaddr(host)


def _own_getaddrinfo(host, *args, **kwargs):
    return _getaddrinfo(_to_address(host), *args, **kwargs)


def _own_uname():
    real = _uname()
    return os.uname_result((real.sysname, _NAME, real.release, real.version, real.machine))


socket.gethostname = lambda: _NAME
socket.gethostbyname = lambda host: _gethostbyname(_to_address(host))
socket.gethostbyname_ex = _own_gethostbyname_ex
socket.gethostbyaddr = _own_gethostbyaddr
socket.getaddrinfo = _own_getaddrinfo
os.uname = _own_uname
