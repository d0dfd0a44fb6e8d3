package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.hub.FileChoice;
import org.dpo4j.hub.Repository;
import org.dpo4j.hub.RepositoryType;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.weights.HubName;

/** The configuration of {@code download}: a repository of the Hugging Face hub and a folder. */
public record DownloadConfig(
    @Option(help = "name on the hub, ORG/NAME; may stand without its option") String repoId,
    @Option(
            help = "folder for the files; what is missing in it is fetched",
            aliases = {"output", "local_dir"})
        Path outputDir,
    @Option(value = "model", help = "what the repository holds", aliases = "repo_type")
        RepositoryType type,
    @Option(value = "main", help = "branch, tag or commit") String revision,
    @Option(help = "patterns of the files, as *.safetensors; default: those that dpo4j reads")
        Optional<List<String>> include) {

  /** The table of all options of {@code download}. */
  public static final OptionTable<DownloadConfig> OPTIONS = OptionTable.of(DownloadConfig.class);

  public DownloadConfig {
    if (!HubName.matches(repoId)) {
      throw new UsageException(
          "repo_id",
          "must be a name of the Hugging Face hub, as in ORG/NAME,",
          "was " + repoId,
          repoId.contains("://")
              ? "name the repository without the address before it"
              : OptionText.of("as in ./dpo4j download HuggingFaceTB/SmolLM2-135M-Instruct"));
    }
    if (revision.isBlank()) {
      throw new UsageException(
          "revision", "must be a branch, a tag or a commit", "was empty", "main is usual");
    }
  }

  /** The repository at the revision. */
  public Repository repository() {
    return new Repository(type, repoId, revision);
  }

  /** The files that are fetched; throws UsageException if a pattern is none. */
  public FileChoice choice() {
    return include
        .map(patterns -> FileChoice.of(type, patterns))
        .orElseGet(() -> FileChoice.usual(type));
  }

  /** Checks the patterns; throws UsageException. */
  public void checkInputs() {
    choice();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static DownloadConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
