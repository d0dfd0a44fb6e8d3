package org.dpo4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The file that says of which repository and commit a folder is: files of two commits must not mix.
 */
final class DownloadRecord {
  static final String FILE = ".dpo4j-download.json";

  private DownloadRecord() {}

  /**
   * Refuses a folder with files of another repository or commit.
   *
   * @param given the folder as the user wrote it
   */
  static void require(Path folder, Path given, Repository repository, String commit) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      return;
    }
    JsonNode record;
    try {
      record = BoundedJson.LENIENT.readTree(BoundedFile.bytes(file, Limit.CONFIG_BYTES));
    } catch (IOException e) {
      throw new DpoException(
          "%s cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException("%s must be JSON but is not; remove it to go on".formatted(file), e);
    }
    String name = record.path("repo_id").asString("");
    String type = record.path("repo_type").asString("");
    String there = record.path("commit").asString("");
    if (!name.equals(repository.name()) || !type.equals(repository.type().toString())) {
      throw new DpoException(
          OptionText.of(
              "{output_dir} must be a folder for one repository but %s has files of %s %s; name another",
              given, words(type), name));
    }
    if (!there.equals(commit)) {
      throw new DpoException(
          OptionText.of(
              "%s holds %s at commit %s but its revision %s is now %s; name another {output_dir}, or pass"
                  + " {revision} %s to complete what is there",
              given, name, there, repository.revision(), commit, there));
    }
  }

  private static String words(String type) {
    return Arrays.stream(RepositoryType.values())
        .filter(known -> known.toString().equals(type))
        .findFirst()
        .map(RepositoryType::words)
        .orElse(type);
  }

  /**
   * Writes the record, complete or not at all.
   *
   * @param pending a folder for unfinished files beside it
   */
  static void write(
      Path folder, Path pending, HubEndpoint endpoint, Repository repository, String commit)
      throws IOException {
    Map<String, String> record = new LinkedHashMap<>();
    record.put("endpoint", endpoint.toString());
    record.put("repo_type", repository.type().toString());
    record.put("repo_id", repository.name());
    record.put("revision", repository.revision());
    record.put("commit", commit);
    Path unfinished = pending.resolve(FILE);
    Files.write(
        unfinished, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
    FileTrees.force(unfinished);
    FileTrees.rename(unfinished, folder.resolve(FILE));
  }
}
