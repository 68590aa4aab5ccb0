// @ts-check
/** @typedef {{ passed: number, failed: number, notes: string[] }} Counts */

/** From the last `N passed, N failed` of an output. @param {string} output @returns {Counts} */
export function countsOfSummary(output) {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed\s*$/gm)].at(-1);
  return { passed: Number(last?.[1] ?? 0), failed: Number(last?.[2] ?? 0), notes: [] };
}

/** From the report of Python's unittest: `Ran 5 tests`, `FAILED (failures=1, errors=1)`. @param {string} output @returns {Counts} */
export function countsOfUnittest(output) {
  const ran = Number(/^Ran (\d+) tests?/m.exec(output)?.[1] ?? 0);
  const verdict = /^(?:OK|FAILED)(?: \((.*)\))?$/m.exec(output)?.[1] ?? '';
  /** @param {string} name */
  const count = (name) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(verdict)?.[1] ?? 0);
  const failed = count('failures') + count('errors') + count('unexpected successes');
  const skipped = count('skipped');
  return { passed: Math.max(0, ran - failed - skipped), failed, notes: skipped > 0 ? [`${skipped} skipped`] : [] };
}

/**
 * From vitest's JSON report. A file that cannot be loaded has no tests; it counts as one that failed. So does an error
 * outside of all tests.
 *
 * @param {{ success: boolean, testResults: { name: string, status: string, assertionResults: { status: string }[] }[] }} report
 * @returns {Counts}
 */
export function countsOfVitest(report) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const file of report.testResults) {
    const failedHere = file.assertionResults.filter((test) => test.status === 'failed').length;
    passed += file.assertionResults.filter((test) => test.status === 'passed').length;
    failed += failedHere === 0 && file.status === 'failed' ? 1 : failedHere;
    skipped += file.assertionResults.filter((test) => test.status !== 'failed' && test.status !== 'passed').length;
  }
  if (!report.success && failed === 0) failed = 1;
  return { passed, failed, notes: skipped > 0 ? [`${skipped} skipped`] : [] };
}

/**
 * What a part counts for, given how its program ended: one that counted nothing, or says that all is well but exits
 * with an error, has failed.
 *
 * @param {Counts} counts @param {number | null} status exit status; null when a signal ended it
 * @returns {Counts}
 */
export function judged(counts, status) {
  const wrong = counts.failed === 0 && (status !== 0 || counts.passed === 0);
  return wrong ? { ...counts, failed: 1, notes: [...counts.notes, `exit status ${status}`] } : counts;
}
