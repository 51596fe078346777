export const reference = (_kinds: unknown): string => ''
