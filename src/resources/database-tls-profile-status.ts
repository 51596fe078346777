/** What a DatabaseTLSProfile says of its certificates, of the servers that were asked, and of what is left to be reloaded. */
import { z } from 'zod'
import { fingerprint, statusTime, text } from './fields.ts'
import { looked } from './status.ts'

export const databaseTLSProfileStatus = z.object({
  ...looked,
  certificates: z
    .array(
      z.object({
        name: text(253, 'Name of the DatabaseCertificate.'),
        secretName: text(253, 'Its Secret.').optional(),
        role: text(16, 'Server, Client or Peer.').optional(),
        serialNumber: text(40, 'Serial number in upper-case hex.').optional(),
        notAfter: statusTime('End of validity.').optional(),
      }),
    )
    .max(2048)
    .optional()
    .meta({ description: 'Certificates made for this profile.' }),
  endpoints: z
    .array(
      z.object({
        address: text(300, 'HOST:PORT.'),
        servedSerial: text(
          40,
          'Serial number of the certificate the server showed; absent while more addresses are behind its name than are asked.',
        ).optional(),
        servedNames: z
          .array(text(300, 'As DNS:orders.data.svc or IP:10.0.0.1.'))
          .max(8)
          .optional()
          .meta({ description: 'Names in that certificate, the first eight.' }),
        servedNotAfter: statusTime('End of its validity.').optional(),
        servedChain: z
          .array(fingerprint('A certificate.'))
          .max(4)
          .optional()
          .meta({ description: 'What the server sent above that certificate, in its order, the first four.' }),
        trusts: z
          .array(fingerprint('A CA.'))
          .max(16)
          .optional()
          .meta({ description: 'CAs the server was seen to trust.' }),
        standing: text(32, 'One word for programs: Serving, Old, Unreachable …').optional(),
        clientAuthority: text(317, 'NAMESPACE/NAME of the CA whose clients it is to take.').optional(),
        trustProof: z.enum(['Proved', 'Refused', 'NotRequested', 'Anybody', 'Unknown']).optional().meta({
          description:
            'What is known of the CAs it trusts: NotRequested and Anybody mean that it verifies no client, so nothing can be proved.',
        }),
        verifiesUnder: text(
          64,
          'While a CA goes: hash of the trust bundle without it, or fingerprint of the CA that takes its place, where clients that trust that alone see the same.',
        ).optional(),
        lastProbe: statusTime(
          'The look after which this was written; while nothing changes nothing is written.',
        ).optional(),
        message: text(4096, 'A sentence for people.').optional(),
      }),
    )
    .max(2048)
    .optional()
    .meta({ description: 'What the servers serve.' }),
  reload: z
    .object({
      trustBundleHash: text(64, 'Of the CAs that every server has loaded, as far as that is known.').optional(),
      authorities: z
        .array(
          z.object({
            name: text(317, 'NAMESPACE/NAME of the CA.'),
            trustBundleHash: text(64, 'Of its trust bundle that every server has loaded, as far as that is known.'),
            delivered: text(64, 'Of the one that was delivered and is not known to be loaded.').optional(),
            since: statusTime('When a bundle was delivered that servers may not have loaded.').optional(),
          }),
        )
        .max(4)
        .optional()
        .meta({ description: 'The same for each CA that the servers are to trust.' }),
      message: text(4096, 'A sentence for people, where something is left to do.').optional(),
      pending: z
        .array(
          z.object({
            name: text(300, 'HOST:PORT of a server, or KIND/NAME of a workload.'),
            reason: text(64, 'One word for programs.'),
            since: statusTime('When what it has not taken up was delivered.').optional(),
            message: text(2048, 'A sentence for people.'),
          }),
        )
        .max(64)
        .optional()
        .meta({ description: 'What has not taken up the files yet.' }),
    })
    .optional()
    .meta({ description: 'What follows a new certificate.' }),
})
export type DatabaseTLSProfileStatus = z.output<typeof databaseTLSProfileStatus>
