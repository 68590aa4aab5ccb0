import { CairnError } from '@cairn/core/server';

import type { Client } from './client.ts';

/** `TYPE BASE64`, without the comment. Rejects with `USAGE` when the text is no public key of OpenSSH. */
export function readPublicKey(text: string): string {
  const [line = '', ...more] = text.trim().split('\n');
  const [, type = '', body = ''] =
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) ([A-Za-z0-9+/]+={0,3})(?: .*)?$/.exec(line) ?? [];
  // The body begins with the length and name of its type (RFC 4253, section 6.6).
  const bytes = Buffer.from(body, 'base64');
  const named = bytes.length > 4 ? bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString('latin1') : '';
  if (type !== '' && named === type && more.length === 0) return `${type} ${body}`;
  throw new CairnError('USAGE', 'that is no public key of OpenSSH', {
    hint: 'Give the file that ends in .pub, as in ~/.ssh/id_ed25519.pub.',
  });
}

/**
 * The line for `authorized_keys` (sshd(8)): the key may do nothing but run the server as this client. `restrict` forbids forwarding,
 * terminals and the user's rc file.
 */
export function authorizedKeysLine(
  client: Client,
  publicKey: string,
  command: string,
  config: string | undefined,
): string {
  const place = config === undefined ? '' : ` --config ${config}`;
  const program = `${command} serve --stdio --repo ${client.repository} --role ${client.role} --client ${client.name}${place}`;
  if (/["\\\n]/.test(program)) {
    throw new CairnError('USAGE', 'the command for authorized_keys must have no quotes and backslashes');
  }
  const from = client.addresses.length === 0 ? '' : `from="${client.addresses.join(',')}",`;
  return `${from}command="${program}",restrict ${publicKey} ${client.name}`;
}
