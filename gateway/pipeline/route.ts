import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { ServedModel } from '../../backends/repository/served-model.ts';
import type { Servable } from '../../backends/servable.ts';
import { decide } from '../../experiments/decision.ts';
import type { Choice, DecisionContext } from '../../experiments/decision.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { CODE_OF_FAULT, GatewayError } from '../errors.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { RouteLabels } from '../telemetry/metrics.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { Call, Decoded, Target } from './call.ts';
import { RoutedCaller } from './routed-caller.ts';
import { routedHeaders } from './routed-headers.ts';

/** Finds the version that answers a call: the one it names, the experiment's choice, or the highest that is ready. */
export class Router {
  readonly #repository: ModelRepository;
  readonly #experiments: () => ExperimentSet;
  readonly #deciding: DecisionContext;
  readonly #upstreams: Upstreams;
  /** By version and variant: labels are made once for each route, as many as the configuration has. */
  readonly #labels = new WeakMap<Servable, WeakMap<object, RouteLabels>>();

  constructor(
    repository: ModelRepository,
    experiments: () => ExperimentSet,
    deciding: DecisionContext,
    upstreams: Upstreams,
  ) {
    this.#repository = repository;
    this.#experiments = experiments;
    this.#deciding = deciding;
    this.#upstreams = upstreams;
  }

  /** Whether an experiment on the called model looks into bodies, so that this one is to be read before it is routed. */
  needsBody(call: Call): boolean {
    return call.version === undefined && this.#experiments().byModel.get(call.model)?.needsBody === true;
  }

  /**
   * @param body what was read of the body, where {@link needsBody} asked for it
   * @throws GatewayError
   */
  route(call: Call, body?: Decoded): Target {
    const model = this.#repository.model(call.model);
    if (call.version === undefined) return this.#routeFreely(call, model, body);
    if (model === undefined) throw unknownModel(call.model);
    return this.#routePinned(call, model, call.version);
  }

  /**
   * Who answers in the place of a variant that turned out not to be able to: the control, where the experiment says so and
   * it can.
   *
   * @returns undefined where nobody does
   */
  fallbackOf(call: Call, { choice }: Target): Target | undefined {
    if (choice === undefined) return undefined;
    const { onUnavailable } = choice.experiment;
    const control = this.#controlNow(choice.experiment);
    if (onUnavailable !== 'fallback' || choice.variant.name === control.name) return undefined;
    const model = this.#repository.model(call.model);
    const isReady = new RoutedCaller(call, model, this.#upstreams, undefined).isReady(control);
    const version = isReady ? this.#servable(model, control) : undefined;
    return version && this.#target(version, { ...choice, variant: control, reason: 'fallback' });
  }

  /** An edit that came since the call was routed may have given the control another server; the one before takes no more calls. */
  #controlNow({ key, control }: Choice['experiment']): Variant {
    const edited = this.#experiments().byKey.get(key);
    return edited?.variants.find(({ name }) => name === control.name) ?? control;
  }

  #routePinned(call: Call, model: ServedModel, text: string): Target {
    const version = findVersion(model, text);
    const override = call.header('x-experiment');
    if (override !== undefined) {
      throw new GatewayError(
        'pinned_override',
        `the call names version ${version.about.version} of model '${model.name}', so no experiment routes it; ` +
          'leave out the version, or the header X-Experiment',
      );
    }
    return this.#target(version, undefined);
  }

  #routeFreely(call: Call, model: ServedModel | undefined, body: Decoded | undefined): Target {
    const experiments = this.#experiments();
    // A model may live elsewhere with all its variants.
    if (model === undefined && !experiments.byModel.has(call.model)) throw unknownModel(call.model);
    const caller = new RoutedCaller(call, model, this.#upstreams, body);
    const decision = decide(experiments, call.model, caller, this.#deciding);
    switch (decision.kind) {
      case 'variant': {
        const version = this.#servable(model, decision.variant);
        if (version === undefined) throw this.#unavailable(call, model, decision);
        return this.#target(version, decision);
      }
      case 'no_experiment': {
        if (model === undefined) throw unknownModel(call.model);
        const version = model.highestReady;
        if (version === undefined) throw new GatewayError('model_unavailable', noVersionReady(model));
        return this.#target(version, undefined);
      }
      case 'unavailable':
        throw this.#unavailable(call, model, decision);
      case 'refused':
        throw new GatewayError(CODE_OF_FAULT[decision.fault], decision.message);
    }
  }

  #servable(model: ServedModel | undefined, variant: Variant): Servable | undefined {
    return variant.upstream === undefined ? model?.version(variant.version) : this.#upstreams.of(variant);
  }

  #unavailable(
    { answerableBy, model: name }: Call,
    model: ServedModel | undefined,
    wanted: Pick<Choice, 'experiment' | 'variant' | 'reason'>,
  ): GatewayError {
    const { experiment, variant } = wanted;
    // Nobody took the call, but whoever looks for the cause asks whom it was to go to.
    const options = { headers: routedHeaders(wanted) };
    const of = `variant ${variant.name} of experiment ${experiment.key}`;
    if (variant.upstream === undefined) {
      return model === undefined
        ? unknownModel(name)
        : new GatewayError(
            'variant_unavailable',
            `${of} is not ready: ${reasonOf(model, variant.version)}`,
            options,
          );
    }
    const { protocol } = variant.upstream;
    const reason = answerableBy.includes(protocol)
      ? `its server is not ready: ${this.#upstreams.of(variant)?.reason ?? 'it is not called any more'}`
      : `its server speaks ${protocol}, which can't answer such a call; that takes ${answerableBy.join(' or ')}`;
    return new GatewayError('variant_unavailable', `${of} can't answer: ${reason}`, options);
  }

  #target(version: Servable, choice: Target['choice']): Target {
    return { version, choice, labels: this.#labelsOf(version, choice), release: version.hold() };
  }

  #labelsOf(version: Servable, choice: Target['choice']): RouteLabels {
    const ofVersion = this.#labels.get(version) ?? new WeakMap<object, RouteLabels>();
    this.#labels.set(version, ofVersion);
    const key = choice?.variant ?? PINNED;
    const known = ofVersion.get(key);
    if (known !== undefined) return known;
    const labels = {
      model: version.about.model,
      version: versionLabel(version, choice?.variant),
      experiment: choice?.experiment.key ?? '',
      variant: choice?.variant.name ?? '',
    };
    ofVersion.set(key, labels);
    return labels;
  }
}

/** Empty for a server elsewhere of which the file names no version. */
function versionLabel({ about: { version } }: Servable, variant: Variant | undefined): string {
  return variant?.upstream !== undefined && variant.upstream.version === undefined ? '' : String(version);
}

/** Stands for the variant of a call that no experiment routed. */
const PINNED = {};

/** @throws GatewayError where the text is no version, or the model has none such that is ready */
export function findVersion(model: ServedModel, text: string): Servable {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) {
    throw new GatewayError(
      'invalid_version',
      `failed to get model version from specified version string '${text.slice(0, 64)}', version should be an integer > 0`,
    );
  }
  const version = Number(text);
  if (!model.versions.includes(version)) {
    const known = model.versions.join(', ') || 'none';
    throw new GatewayError(
      'unknown_model',
      `Request for unknown model: '${model.name}' version ${version} is not found; its versions are: ${known}`,
    );
  }
  const loaded = model.version(version);
  if (loaded === undefined) throw notReady(model, version);
  return loaded;
}

export function unknownModel(name: string): GatewayError {
  return new GatewayError('unknown_model', `Request for unknown model: '${name.slice(0, 64)}' is not found`);
}

export function noVersionReady(model: ServedModel): string {
  const reasons = model.index().map(({ version }) => `version ${version}: ${reasonOf(model, version)}`);
  return `Request for unknown model: '${model.name}' has no available versions${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`;
}

function notReady(model: ServedModel, version: number): GatewayError {
  return new GatewayError(
    'model_unavailable',
    `model '${model.name}' version ${version} is not ready: ${reasonOf(model, version)}`,
  );
}

function reasonOf(model: ServedModel, version: number): string {
  const entry = model.index().find((line) => line.version === version);
  if (entry === undefined) return 'it is not among the versions that the repository serves';
  return entry.reason === '' ? 'it is being loaded' : entry.reason;
}
