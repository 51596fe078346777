/** XML 1.0 text. */
import { QuoteError, requireText } from './quote-error.ts'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** Character data; XML 1.0 §2.2 has no form for other control characters, nor for U+FFFE and U+FFFF. */
export const xmlText = (text: string): string => {
  requireText(text, 'XML')
  // oxlint-disable-next-line no-control-regex -- these are what XML cannot hold
  if (/[\u0001-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw new QuoteError('XML has no form for a control character')
  return text.replace(/[&<>"'\t\n\r]/g, (character) => entities[character] ?? character)
}
