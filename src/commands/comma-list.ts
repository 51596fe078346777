/** `a, b` → its parts; undefined where the flag was not given or names nothing. */
export const commaList = (text: string | undefined): string[] | undefined => {
  const parts = (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  return parts.length === 0 ? undefined : parts
}
