/** YAML, JSON, TOML, JavaScript, Java and Python share the string of JSON. */
import { requireText } from './quote-error.ts'

/**
 * A double-quoted scalar: JSON's string is one of YAML 1.2, and what YAML and JavaScript count among line ends or not printable
 * is escaped besides. TOML's basic strings, and the string literals of JavaScript, Java and Python, read it alike.
 */
export const quotedString = (text: string): string => {
  requireText(text, 'a quoted string')
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
