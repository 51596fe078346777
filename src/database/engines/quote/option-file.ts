/** Values in the option files of MySQL and MariaDB. */
import { requireText } from './quote-error.ts'

const escapes: Readonly<Record<string, string>> = {
  '\\': String.raw`\\`,
  '"': String.raw`\"`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '\b': String.raw`\b`,
}

/**
 * `"value"`. Within quotes `#` begins no comment and blanks stay; escapes are those of
 * https://dev.mysql.com/doc/refman/8.4/en/option-files.html.
 */
export const optionValue = (text: string): string => {
  requireText(text, 'an option file')
  // oxlint-disable-next-line no-control-regex -- \b is one of the escapes
  return `"${text.replace(/[\\"\n\r\t\u0008]/g, (character) => escapes[character] ?? character)}"`
}
