/**
 * The number of a revocation list as a status says it: RFC 5280 §5.2.3 allows 20 octets, and JSON keeps whole numbers up
 * to 2^53 - 1. Pure.
 */

/** The largest that fits 20 octets of an INTEGER (RFC 5280 §5.2.3). */
export const largestListNumber = (1n << 159n) - 1n

const largestWhole = BigInt(Number.MAX_SAFE_INTEGER)

interface Reported {
  readonly number: number
  /** Decimal digits. */
  readonly largeNumber?: string | undefined
}

export const listNumberOf = (crl: Reported | undefined): bigint | undefined => {
  if (crl === undefined) return undefined
  const { number, largeNumber } = crl
  const whole = BigInt(Math.trunc(number))
  // Whoever writes a smaller number beside it is believed in neither less nor more than what is larger.
  const large = largeNumber !== undefined && /^[0-9]{1,49}$/.test(largeNumber) ? BigInt(largeNumber) : whole
  return large > whole ? large : whole
}

export const listNumberFields = (number: bigint): { readonly number: number; readonly largeNumber?: string } =>
  number <= largestWhole
    ? { number: Number(number) }
    : { number: Number.MAX_SAFE_INTEGER, largeNumber: number.toString() }
