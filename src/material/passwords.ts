/** Keystore passwords: random ones, and what a given one must be so that every reader takes it. */
import type { Random } from './keystore.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const generatedLength = 32
const minLength = 6
const maxLength = 1024

/** Octets from here on would make some characters likelier than others. */
const unbiasedBelow = 256 - (256 % alphabet.length)

/** 32 ASCII letters and digits, about 190 bits: they need no quoting in any configuration file, URL or shell. */
export const generatePassword = (random: Random): string => {
  let password = ''
  while (password.length < generatedLength)
    for (const octet of random(generatedLength))
      if (octet < unbiasedBelow && password.length < generatedLength) password += alphabet[octet % alphabet.length]
  return password
}

/**
 * A sentence about "it", or undefined for a password that every reader takes. It never quotes the password.
 * Six characters is what keytool demands; only ASCII is encoded alike by PKCS#12, PBES2 and JKS.
 */
export const passwordProblem = (text: string): string | undefined => {
  if (/[\r\n]$/.test(text)) return 'it ends with a newline; write it without one (printf, not echo).'
  if (text.length < minLength) return `it has ${text.length} characters; use at least ${minLength}.`
  if (text.length > maxLength) return `it has ${text.length} characters; use at most ${maxLength}.`
  if (!/^[\x20-\x7e]*$/.test(text))
    return 'it has a character that is not printable ASCII; keystore readers differ over it.'
  return undefined
}
