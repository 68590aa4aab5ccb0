// @ts-check
import { lineAt } from '../tidy/source-text.mjs';

/**
 * @typedef {object} Block a piece of a page that is run
 * @property {'sh' | 'js'} language
 * @property {string} text
 * @property {number} line where it begins in the page, from 1
 * @property {boolean} hidden not shown to readers: it makes what they are assumed to have
 * @property {boolean} inCheckout runs in the project's own folder instead of the scratch home
 */

const RUN = new Set(['sh', 'js']);

/**
 * The blocks of a page in their order.
 *
 * Fences of `sh` and `js` are run. After the language may stand `in-checkout`, or `no-run` and the reason, which leaves
 * the block out. A comment `<!-- run first … -->` holds shell commands that run at its place.
 *
 * @param {string} page Markdown
 * A page with `<!-- run on a machine of its own -->` changes the machine: it is run where nothing of that stays.
 *
 * @returns {{ blocks: Block[], problems: { line: number, message: string }[], sandboxed: boolean }}
 */
export function blocksOf(page) {
  /** @type {Block[]} */
  const blocks = [];
  const problems = [];
  const forms = /^( *)(`{3,})([^\n`]*)\n([^]*?)^\1\2[ ]*$|<!-- run first\n([^]*?)-->/gm;
  for (const match of page.matchAll(forms)) {
    const line = lineAt(page, match.index);
    const [, indent = '', , info = '', body = '', hidden] = match;
    if (hidden !== undefined) {
      blocks.push({ language: 'sh', text: hidden, line, hidden: true, inCheckout: false });
      continue;
    }
    const [language = '', ...words] = info.trim().split(/\s+/);
    if (language === 'bash' || language === 'shell' || language === 'console') {
      problems.push({ line, message: `write sh instead of ${language}, so that it is run` });
    }
    if (!RUN.has(language)) continue;
    if (words[0] === 'no-run') {
      if (words.length < 2) problems.push({ line, message: 'no-run needs a reason' });
      continue;
    }
    const unknown = words.filter((word) => word !== 'in-checkout');
    if (unknown.length > 0) problems.push({ line, message: `unknown word ${unknown.join(' ')} after ${language}` });
    const text = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
    const kind = language === 'js' ? 'js' : 'sh';
    blocks.push({ language: kind, text, line, hidden: false, inCheckout: words.includes('in-checkout') });
  }
  return { blocks, problems, sandboxed: page.includes('<!-- run on a machine of its own -->') };
}

/** @param {string} text for single quotes of a shell */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * One shell script of all blocks, which stops at the first command that fails. Variables and folders carry over from block
 * to block. Before each block its number is written to descriptor 3, and `end` after the last.
 *
 * @param {readonly Block[]} blocks
 * @param {{ checkout: string }} places
 */
export function scriptOf(blocks, { checkout }) {
  const parts = ['set -euo pipefail'];
  for (const [index, block] of blocks.entries()) {
    parts.push(`echo ${index} >&3`);
    if (block.language === 'js') {
      // A program of its own folder, in which the packages of this repository can be imported.
      parts.push(`printf %s ${quoted(block.text)} > "$CAIRN_PROGRAMS/block-${index}.mjs"`);
      parts.push(`node "$CAIRN_PROGRAMS/block-${index}.mjs"`);
    } else if (block.inCheckout) {
      parts.push(`pushd ${quoted(checkout)} > /dev/null`, block.text.trimEnd(), 'popd > /dev/null');
    } else {
      parts.push(block.text.trimEnd());
    }
  }
  parts.push('echo end >&3', '');
  return parts.join('\n');
}
