// @ts-check
import { describe, expect, it } from 'vitest';
import { countsOfSummary, countsOfUnittest, countsOfVitest, judged } from './counts.mjs';

describe('counts', () => {
  it('reads the last summary line', () => {
    expect(countsOfSummary('1 passed, 2 failed\nx\n30 passed, 0 failed\n')).toMatchObject({ passed: 30, failed: 0 });
    expect(countsOfSummary('nothing')).toMatchObject({ passed: 0, failed: 0 });
  });

  it('reads unittest', () => {
    expect(countsOfUnittest('...\nRan 12 tests in 0.1s\n\nOK\n')).toEqual({ passed: 12, failed: 0, notes: [] });
    expect(countsOfUnittest('Ran 12 tests in 1s\n\nFAILED (failures=1, errors=2, skipped=3)\n')).toEqual({
      passed: 6,
      failed: 3,
      notes: ['3 skipped'],
    });
    expect(countsOfUnittest('Ran 1 test in 1s\n\nOK (skipped=1)')).toEqual({
      passed: 0,
      failed: 0,
      notes: ['1 skipped'],
    });
    expect(countsOfUnittest('ModuleNotFoundError')).toMatchObject({ passed: 0, failed: 0 });
  });

  it('reads vitest, and counts files that do not load', () => {
    const file = (/** @type {string} */ status, /** @type {string[]} */ ...tests) => ({
      name: 'x',
      status,
      assertionResults: tests.map((each) => ({ status: each })),
    });
    const files = [file('passed', 'passed', 'skipped'), file('failed', 'passed', 'failed', 'failed'), file('failed')];
    expect(countsOfVitest({ success: false, testResults: files })).toEqual({
      passed: 2,
      failed: 3,
      notes: ['1 skipped'],
    });
    expect(countsOfVitest({ success: false, testResults: [file('passed', 'passed')] })).toMatchObject({ failed: 1 });
    expect(countsOfVitest({ success: true, testResults: [file('passed', 'passed')] })).toMatchObject({
      passed: 1,
      failed: 0,
    });
  });

  it('never takes silence for success', () => {
    expect(judged({ passed: 0, failed: 0, notes: [] }, 0).failed).toBe(1);
    expect(judged({ passed: 5, failed: 0, notes: [] }, 1).failed).toBe(1);
    expect(judged({ passed: 5, failed: 0, notes: [] }, null).failed).toBe(1);
    expect(judged({ passed: 5, failed: 2, notes: [] }, 1).failed).toBe(2);
    expect(judged({ passed: 5, failed: 0, notes: [] }, 0)).toEqual({ passed: 5, failed: 0, notes: [] });
  });
});
