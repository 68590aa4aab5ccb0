import { isSecure } from './identify.ts';
import type { Services } from '../services.ts';

/**
 * On every answer. What is in a backup, and what is written about one, was written by anybody: no browser may run it, guess its type,
 * put it into a frame, or tell other sites where it comes from.
 */
export function safetyHeaders(services: Pick<Services, 'config'>): Readonly<Record<string, string>> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    ...(isSecure(services) ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
}
