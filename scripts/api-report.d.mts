export const REPORTS: Readonly<Record<string, string>>;
export function apiReport(entry: string): string;
