// @ts-check
/** Characters after which a slash begins a regular expression, not a division. */
const BEFORE_REGEX = /(?:^|[=(,:;[!&|?{}+\-*%<>~^]|=>|\b(?:return|typeof|case|in|of|await|yield|throw))\s*$/;

/**
 * The text with comments, or the insides of literals, or both, replaced by spaces; line breaks stay, so positions mean the
 * same. Code within `${}` of a template stays.
 *
 * @param {string} text TypeScript or JavaScript
 * @param {{ comments?: boolean, literals?: boolean }} what to blank
 */
export function blanked(text, { comments = false, literals = false }) {
  const out = text.split('');
  /** Depth of braces at which each open template continues. @type {number[]} */
  const templates = [];
  let depth = 0;
  let at = 0;

  /** @param {number} from @param {number} to @param {boolean} blank */
  function pass(from, to, blank) {
    if (blank) for (let i = from; i < to; i += 1) if (out[i] !== '\n') out[i] = ' ';
    at = to;
  }

  /** @param {number} from first character of a template's text */
  function template(from) {
    let end = from;
    while (end < text.length && text[end] !== '`' && !(text[end] === '$' && text[end + 1] === '{')) {
      end += text[end] === '\\' ? 2 : 1;
    }
    const closes = text[end] === '`' || end >= text.length;
    pass(from, Math.min(end, text.length), literals);
    at = Math.min(end + (closes ? 1 : 2), text.length);
    if (!closes) {
      templates.push(depth);
      depth += 1;
    }
  }

  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = two[0];
    if (two === '//') {
      const end = text.indexOf('\n', at);
      pass(at, end === -1 ? text.length : end, comments);
    } else if (two === '/*') {
      const end = text.indexOf('*/', at + 2);
      pass(at, end === -1 ? text.length : end + 2, comments);
    } else if (one === "'" || one === '"') {
      let end = at + 1;
      while (end < text.length && text[end] !== one && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
      pass(at + 1, Math.min(end, text.length), literals);
      at += 1;
    } else if (one === '`') {
      template(at + 1);
    } else if (one === '}' && templates.at(-1) === depth - 1) {
      depth -= 1;
      templates.pop();
      template(at + 1);
    } else if (one === '/' && BEFORE_REGEX.test(text.slice(Math.max(0, at - 40), at))) {
      const body = /^\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//.exec(text.slice(at));
      pass(at, at + (body?.[0].length ?? 1), literals && body !== null);
    } else {
      if (one === '{') depth += 1;
      if (one === '}') depth -= 1;
      at += 1;
    }
  }
  return out.join('');
}

/** @param {string} text @param {number} index @returns {number} from 1 */
export function lineAt(text, index) {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < index; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

/**
 * What a module refers to: static and dynamic imports, re-exports, types written as `import('…')`, and modules named
 * for a worker by `new URL('…', import.meta.url)`.
 *
 * @param {string} text
 * @returns {{ target: string, line: number }[]}
 */
export function importsOf(text) {
  const code = blanked(text, { comments: true });
  const bare = blanked(text, { comments: true, literals: true });
  const found = [];
  const forms = [
    /(?:^|[;}\s])(?:import|export)\b[^;'"`]*?\bfrom\s*(['"])([^'"\n]+)\1/g,
    /(?:^|[;}\s])import\s*(['"])([^'"\n]+)\1/g,
    /\bimport\s*\(\s*(['"])([^'"\n]+)\1\s*\)/g,
    /\bnew URL\(\s*(['"])(\.[^'"\n]+)\1\s*,\s*import\.meta\.url/g,
  ];
  for (const form of forms) {
    for (const match of code.matchAll(form)) {
      const keyword = match.index + match[0].search(/import|export|new/);
      if (!/^(?:import|export|new)/.test(bare.slice(keyword, keyword + 6))) continue; // inside a string
      found.push({ target: match[2] ?? '', line: lineAt(text, match.index + match[0].length - 1) });
    }
  }
  return found.toSorted((a, b) => a.line - b.line);
}
