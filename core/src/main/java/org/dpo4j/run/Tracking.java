package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.Dpo4j;
import org.dpo4j.UsageException;
import org.dpo4j.config.ResumeRules;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.tracking.MlflowRun;
import org.dpo4j.tracking.MlflowServer;

/** What a tracking server is told of a run besides its metrics. */
final class Tracking {

  /** Options about the command and not about the run. */
  private static final Set<String> LEFT_OUT =
      Set.of(
          "resume_from_checkpoint", "overwrite_output_dir", "log_format", "report_to", "run_name");

  private Tracking() {}

  /**
   * The server that a run reports to, if it does.
   *
   * @throws UsageException if the environment names none
   */
  static Optional<MlflowServer> server(TrainingConfig config, Map<String, String> environment) {
    return config.output().mlflow() ? Optional.of(MlflowServer.of(environment)) : Optional.empty();
  }

  /** What it is told: options with their values, those at their defaults too. */
  static MlflowRun.Facts facts(TrainingConfig config) {
    Map<String, String> parameters = ResumeRules.texts(config);
    parameters.keySet().removeAll(LEFT_OUT);
    Map<String, String> tags = new LinkedHashMap<>();
    tags.put("mlflow.user", System.getProperty("user.name", ""));
    tags.put("mlflow.source.name", "dpo4j");
    tags.put("mlflow.source.type", "LOCAL");
    try {
      tags.put("dpo4j.version", Dpo4j.version());
    } catch (IOException e) {
      // A mark less; the run goes on.
    }
    return new MlflowRun.Facts(name(config), parameters, tags);
  }

  /** The given name, or the last two names of the output folder. */
  private static String name(TrainingConfig config) {
    Path folder = config.output().outputDir().toAbsolutePath().normalize();
    int names = folder.getNameCount();
    return config
        .output()
        .runName()
        .orElseGet(
            () -> names == 0 ? "/" : folder.subpath(Math.max(0, names - 2), names).toString());
  }
}
