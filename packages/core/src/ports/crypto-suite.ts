/** A symmetric key prepared once by a suite; opaque to everybody else. */
export interface SecretKey {
  readonly suite: string;
}

/**
 * The primitives of the format, and no others. Two implementations must agree on every vector: `node-suite` (the one in use)
 * and `noble-suite` (portable, and the cross-check). All calls are synchronous; none keeps its arguments.
 */
export interface CryptoSuite {
  readonly name: string;

  /**
   * Prepares 32 bytes as a key for `hmac`, `encrypt` and `decrypt`.
   * @param uses `'once'` when preparing must not cost more than it saves.
   */
  secretKey(bytes: Uint8Array, uses?: 'once' | 'many'): SecretKey;

  /** SHA-256 (FIPS 180-4) of the parts in turn. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;

  /** HMAC-SHA-256 (RFC 2104) of the parts in turn. */
  hmac(key: SecretKey, ...parts: readonly Uint8Array[]): Uint8Array;

  /** HKDF-SHA-256 (RFC 5869), `length` bytes out (32 unless given). */
  hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length?: number): Uint8Array;

  /** X25519 (RFC 7748). Rejects with `CORRUPT` when the shared secret is all zero. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array;

  /** The public half of an X25519 secret. */
  x25519Public(secret: Uint8Array): Uint8Array;

  /** AES-256-GCM (NIST SP 800-38D): ciphertext ‖ 16-byte tag. The plaintext is given in parts. */
  encrypt(key: SecretKey, nonce: Uint8Array, aad: Uint8Array, ...plaintext: readonly Uint8Array[]): Uint8Array;

  /**
   * As `encrypt`, but ciphertext ‖ tag go to the beginning of `target`, which has room for them. The way for bulk data:
   * memory is the caller's and is used again.
   */
  encryptInto(
    key: SecretKey,
    nonce: Uint8Array,
    aad: Uint8Array,
    target: Uint8Array,
    ...plaintext: readonly Uint8Array[]
  ): void;

  /** Undoes `encrypt`; undefined when the tag does not fit: what that means is the caller's to say. */
  decrypt(key: SecretKey, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;

  /** argon2id version 1.3 (RFC 9106). */
  argon2id(
    passphrase: Uint8Array,
    salt: Uint8Array,
    parameters: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number },
    length: number,
  ): Promise<Uint8Array>;
}
