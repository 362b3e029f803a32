export declare const SECRETS: Record<string, unknown>;
export declare const SECOND_SECRETS: Record<string, unknown>;
export declare const NAMESPACE: string;
export declare const EXPECTED: Readonly<Record<string, unknown>>;
