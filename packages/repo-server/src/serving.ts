// What another server of this project needs as well: who sends a request, tokens, and a log of lines.
export { clientAddress, isWithin, networkOf, sourceOf } from './clients/addresses.ts';
export { hashOfToken, makeToken, tokenOf } from './clients/tokens.ts';
export { jsonLogger, silentLogger, type Facts, type Logger } from './operate/logger.ts';
