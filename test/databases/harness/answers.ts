/** Tests of what attempts with a driver were answered, a line each. */
import { expect, it } from 'vitest'

export type Answered = (name: string, attempt: string, answer: RegExp | string) => void

/** `answers` are undefined where `what` cannot be had, until the attempts were made. */
export const answeredOf =
  (what: string, answers: () => Readonly<Record<string, string>> | undefined): Answered =>
  (name, attempt, answer) =>
    it(name, (context) => {
      const said = answers()
      if (said === undefined) return context.skip(`${what} cannot be had here`)
      if (typeof answer === 'string') expect(said[attempt]).toBe(answer)
      else expect(said[attempt]).toMatch(answer)
    })

/** The four refusals in the words of the JVM. */
export const refusalsOfJvm = (answered: Answered): void => {
  answered('refuses a server of another name', 'otherName', /^refused .*No subject alternative DNS name matching other/)
  answered('refuses a server of an unknown CA', 'unknownAuthority', /^refused .*(signature check failed|PKIX path)/)
  answered(
    'is refused without a certificate',
    'noCertificate',
    /^refused .*(certificate_required|reset|closed|Broken)/i,
  )
  answered(
    'is refused with the certificate of an unknown CA',
    'strangersCertificate',
    /^refused .*(unknown_ca|reset|closed|Broken)/i,
  )
}
