/** What the administrators of a managed server set, who have no configuration file. */
import { shellCommand } from './quote/shell.ts'
import { fenced } from './text.ts'

/**
 * How plain connections are refused on RDS. Switches of a DB parameter group are 0 and 1, those of a cluster OFF and ON
 * (prowler-cloud/prowler#4116); these need no reboot.
 * https://docs.aws.amazon.com/cli/latest/reference/rds/modify-db-parameter-group.html
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-ssl-connections.require-ssl.html
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mariadb-ssl-connections.require-ssl.html
 * https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
 */
export const onRds = (parameter: 'require_secure_transport' | 'rds.force_ssl'): string[] => [
  `On RDS \`${parameter}\` is set in the DB parameter group of the server, whose name goes in place of NAME. A`,
  'default group cannot be changed: give the server one of its own.',
  '',
  fenced(
    'sh',
    shellCommand(
      ...['aws', 'rds', 'modify-db-parameter-group', '--db-parameter-group-name', 'NAME'],
      ...['--parameters', `ParameterName=${parameter},ParameterValue=1,ApplyMethod=immediate`],
    ),
  ),
]
