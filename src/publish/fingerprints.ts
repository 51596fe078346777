/** Fingerprints for people to compare. */

import { createHash } from 'node:crypto'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'

/** Lower-case hex. Of use only to find a certificate in tools that show nothing else. */
export const sha1Of = ({ der }: Pick<ParsedCertificate, 'der'>): string => createHash('sha1').update(der).digest('hex')

/** `0A:1B`, as openssl and browsers show it. */
export const withColons = (hex: string): string => (hex.toUpperCase().match(/../g) ?? []).join(':')
