/** Lays out rows in columns that are as wide as they must be. The last column is not padded. */
export function formatTable(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        if (rightAligned.includes(i)) return cell.padStart(width);
        return i === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Names and values, one pair a line, values below each other. */
export function formatFacts(facts: readonly (readonly [name: string, value: string])[]): string[] {
  return formatTable(facts.map(([name, value]) => [`  ${name}`, value]));
}
