/** Why a certificate was revoked: the names and codes of RFC 5280 §5.3.1. */

/** Without removeFromCRL (8), which only delta lists know; 7 is not used. */
const codes = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type RevocationReason = keyof typeof codes

export const revocationReasons = Object.keys(codes) as RevocationReason[]

const names = new Map<number, RevocationReason>(
  (Object.entries(codes) as [RevocationReason, number][]).map(([name, code]) => [code, name]),
)

/** undefined where the text is no reason. */
export const reasonCode = (reason: string): number | undefined =>
  Object.hasOwn(codes, reason) ? codes[reason as RevocationReason] : undefined

/** undefined for removeFromCRL and for codes that mean nothing. */
export const reasonOfCode = (code: number): RevocationReason | undefined => names.get(code)
