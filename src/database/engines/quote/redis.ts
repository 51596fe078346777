/** Words of a line of redis-cli and valkey-cli. */
import { requireLine } from './quote-error.ts'

/** As sdssplitargs of sds.c reads it: in double quotes a backslash stands before a quote or another. */
export const redisWord = (text: string): string => {
  requireLine(text, 'a line of redis-cli')
  return /^[A-Za-z0-9_.@:/-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
