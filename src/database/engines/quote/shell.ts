/** Words of a POSIX shell. */
import { requireText } from './quote-error.ts'

/** One word, quoted where it has to be. https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02 */
export const shellWord = (text: string): string => {
  requireText(text, 'a shell command')
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) && !text.startsWith('=')) return text
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A command from its words. Words that fit on no line of 120 characters continue on the next. */
export const shellCommand = (...words: readonly string[]): string => words.map(shellWord).join(' ')
