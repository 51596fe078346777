/** A text has no form in a dialect. The message says which character, never the text: it may be a secret of somebody's. */
export class QuoteError extends Error {
  override readonly name = 'QuoteError'
}

/** NUL ends strings in C, and half a surrogate pair is no text: neither is written anywhere. */
export const requireText = (text: string, dialect: string): void => {
  if (text.includes('\0')) throw new QuoteError(`${dialect} has no form for a NUL`)
  if (!text.isWellFormed()) throw new QuoteError(`${dialect} has no form for half of a surrogate pair`)
}

// oxlint-disable-next-line no-control-regex -- it is control characters that end lines
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** For dialects in which a value is the rest of a line. */
export const requireLine = (text: string, dialect: string): void => {
  requireText(text, dialect)
  if (controls.test(text)) throw new QuoteError(`${dialect} has no form for a control character`)
}
