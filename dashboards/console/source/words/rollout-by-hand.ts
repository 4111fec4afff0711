import type { ExperimentShape } from '../shapes.ts';
import { actionWord, whoIs } from './audit.ts';
import { moment, percent } from './numbers.ts';
import type { Station, Track } from './track.ts';

/** A rollout without a plan: people move it by hand, from the file's weights to everybody or nobody. */
export function trackByHand(experiment: ExperimentShape): Track {
  const { variants, control, status, standing, wished } = experiment;
  const challengers = variants.filter(({ name }) => name !== control);
  const share = challengers.reduce((sum, variant) => sum + variant.share, 0);
  const names = challengers.map(({ name }) => name).join(' and ');
  const weights = Object.values(wished.weights).reduce((sum, weight) => sum + weight, 0);
  const planned = weights === 0 ? 0 : 1 - (wished.weights[control] ?? 0) / weights;
  const stops = [...new Set([0, planned, share, 1].map(rounded))].sort((a, b) => a - b);
  const stations = stops.map((stop): Station => ({
    label: percent(stop, Math.round(stop * 1000) % 10 === 0 ? 0 : 1),
    detail:
      stop === 0
        ? `all ${control}`
        : stop === 1
          ? `all ${names}`
          : stop === rounded(planned)
            ? 'as its file says'
            : '',
    state: stop === rounded(share) ? 'here' : stop < share ? 'passed' : 'ahead',
  }));
  return {
    stations,
    headline:
      status === 'running'
        ? `${names === '' ? control : names} ${challengers.length > 1 ? 'get' : 'gets'} ${percent(share)}`
        : status === 'paused'
          ? `Paused: everybody gets ${control}`
          : `Ended: everybody gets ${experiment.winner ?? control}`,
    why:
      standing === null
        ? 'The state store was not asked yet; it is as its file says.'
        : `${actionWord(standing.action)} by ${whoIs(standing.actor)}, ${moment(standing.at)}${standing.reason === '' ? '' : `: “${standing.reason}”`}`,
    tone: status === 'running' ? 'good' : status === 'paused' ? 'open' : 'still',
  };
}

/** To a tenth of a percent, so that shares that are the same look the same. */
function rounded(share: number): number {
  return Math.round(share * 1000) / 1000;
}
