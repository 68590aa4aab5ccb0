import { BlockList, isIP } from 'node:net';

/** An address or a network as in `192.0.2.0/24`; undefined when it is neither. */
export function networkOf(
  text: string,
): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', digits] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const most = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? most : Number(digits);
  return prefix > most ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Whether an address lies in one of the networks; texts that are no networks count for nothing. */
export function isWithin(address: string, networks: readonly string[]): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  if (version === 0) return false;
  const list = new BlockList();
  for (const text of networks) {
    const network = networkOf(text);
    if (network !== undefined) list.addSubnet(network.address, network.prefix, network.family);
  }
  return list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

/** Without a zone; and an IPv4 address as itself, which a socket that takes both families shows as one of IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

/** Groups of an IPv6 address that name its network: a machine usually has all of a /64 to itself (RFC 4291, section 2.5.1). */
const NETWORK_GROUPS = 4;

/**
 * Whom a limit counts as one: an IPv4 address, or the /64 of an IPv6 address. A text that is no address stands for itself.
 */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [before = [], after] = plain.split('::').map((part) => (part === '' ? [] : part.split(':')));
  // An IPv4 address at the end stands for two groups.
  const count = before.length + (after?.length ?? 0) + (plain.includes('.') ? 1 : 0);
  const groups = after === undefined ? before : [...before, ...Array.from({ length: 8 - count }, () => '0'), ...after];
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/**
 * Where a request comes from: the peer, or, if that is a proxy of this host, what it says in `x-forwarded-for`. Of several addresses
 * there the last that is no proxy of ours counts: those before it were written by whoever sent the request.
 */
export function clientAddress(peer: string, forwarded: string | undefined, proxies: readonly string[]): string {
  let address = peer;
  for (const next of (forwarded ?? '').split(',').toReversed()) {
    if (next.trim() === '' || !isWithin(address, proxies)) break;
    address = next.trim();
  }
  return address;
}
