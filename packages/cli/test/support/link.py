"""A wire between two network namespaces of its own, with delay, loss and an end: what tc-netem(8) does, where a kernel lacks it.

Each namespace has one end, a TUN device: 10.77.0.1 and 10.77.0.2. The packets of the kernel's own TCP go through this program. It says
where the namespaces are (one line of JSON), then obeys lines of JSON on standard input: {"delay_ms": 25, "loss": 0.01, "cut": false}.
When standard input ends, so does it, and nothing of the wire is left. Needs root and /dev/net/tun.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_BYTES = 65536
# Packets on the way in one direction: the buffer of a slow router.
ON_THE_WAY = 2000


def end_of_wire(address):
    """Moves this process into a new namespace and makes its device. Gives both as descriptors."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    device = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack('16sH', b'wire', IFF_TUN | IFF_NO_PI))
    for command in ('link set lo up', f'address add {address}/30 dev wire', 'link set wire up'):
        subprocess.run(['ip', *command.split()], check=True)
    return device, os.open('/proc/self/ns/net', os.O_RDONLY)


def main():
    ends = [end_of_wire('10.77.0.1'), end_of_wire('10.77.0.2')]
    devices = [device for device, _ in ends]
    paths = [f'/proc/{os.getpid()}/fd/{namespace}' for _, namespace in ends]
    print(json.dumps(paths), flush=True)
    other = {devices[0]: devices[1], devices[1]: devices[0]}
    under_way = {device: 0 for device in devices}
    weather = {'delay_ms': 0, 'loss': 0, 'cut': False}
    dice = random.Random(1)
    queue, number = [], 0
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        ready, _, _ = select.select([*devices, 0], [], [], wait)
        if 0 in ready:
            line = sys.stdin.buffer.raw.readline()
            if line == b'':
                return
            weather.update(json.loads(line))
        now = time.monotonic()
        for device in devices:
            if device not in ready:
                continue
            try:
                packet = os.read(device, PACKET_BYTES)
            except BlockingIOError:
                continue
            lost = weather['cut'] or dice.random() < weather['loss'] or under_way[device] >= ON_THE_WAY
            if not lost:
                number += 1
                under_way[device] += 1
                heapq.heappush(queue, (now + weather['delay_ms'] / 1000, number, device, packet))
        while queue and queue[0][0] <= now:
            _, _, device, packet = heapq.heappop(queue)
            under_way[device] -= 1
            if weather['cut']:
                continue
            try:
                os.write(other[device], packet)
            except BlockingIOError:
                pass  # As a full interface does.


main()
