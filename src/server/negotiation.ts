/** Content negotiation by media type (RFC 9110 §12.5.1). */

interface Range {
  readonly type: string
  readonly subtype: string
  /** 0 to 1. */
  readonly quality: number
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const rangeForm = new RegExp(`^(${token})/(${token})$`)
const qualityForm = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/** Elements that are no media range are passed over, as browsers and proxies do. */
const rangesOf = (accept: string): Range[] =>
  accept.split(',').flatMap((element) => {
    const [name = '', ...parameters] = element.split(';').map((part) => part.trim())
    const [, type, subtype] = rangeForm.exec(name.toLowerCase()) ?? []
    if (type === undefined || subtype === undefined || (type === '*' && subtype !== '*')) return []
    const weight = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2)
    if (weight !== undefined && !qualityForm.test(weight)) return []
    return [{ type, subtype, quality: Number(weight ?? 1) }]
  })

const specificity = ({ type, subtype }: Range): number => (type === '*' ? 0 : subtype === '*' ? 1 : 2)

const qualityOf = (offer: string, ranges: readonly Range[]): number => {
  const [type, subtype] = offer.split('/')
  const fitting = ranges.filter(
    (range) => (range.type === '*' || range.type === type) && (range.subtype === '*' || range.subtype === subtype),
  )
  return fitting.toSorted((a, b) => specificity(b) - specificity(a) || b.quality - a.quality)[0]?.quality ?? 0
}

/**
 * The offer (`type/subtype`, lower case) that the client likes best; the earlier one where it likes two the same, the
 * first one where it says nothing that can be read, undefined where it wants none of them. Parameters but q do not count.
 */
export const preferred = <Offer extends string>(
  accept: string | undefined,
  offers: readonly [Offer, ...Offer[]],
): Offer | undefined => {
  const ranges = rangesOf(accept ?? '')
  if (ranges.length === 0) return offers[0]
  const liked = offers
    .map((offer) => ({ offer, quality: qualityOf(offer, ranges) }))
    .toSorted((a, b) => b.quality - a.quality)[0]
  return liked === undefined || liked.quality === 0 ? undefined : liked.offer
}
