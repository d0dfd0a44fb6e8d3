package org.dpo4j.spark;

import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Function;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.Engine;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models of an executor. Its tasks share them, since they only read weights: a second copy
 * would double the native memory, and turns would leave cores idle. A model that no task uses is
 * kept for the next ones, and freed when another is loaded.
 *
 * @param <M> what is loaded
 */
final class ExecutorModels<M extends AutoCloseable> {
  private static final Logger LOG = LoggerFactory.getLogger(ExecutorModels.class);

  private final Map<NodeOptions, Entry<M>> entries = new HashMap<>();

  private static final class Entry<M> {
    private final M model;
    private int tasks;

    Entry(M model) {
      this.model = model;
    }
  }

  /**
   * The model for some options, until the end of the calling task, which from now on computes with
   * its number of threads. Other tasks that need a model wait while one is loaded.
   *
   * @param open loads the model
   */
  M use(NodeOptions options, Function<RunOutput, M> open) {
    M model = take(options, open);
    Engine.Threads threads = Engine.use(options.threads());
    TaskCompletionListener end =
        context -> {
          threads.close();
          release(options);
        };
    TaskContext.get().addTaskCompletionListener(end);
    return model;
  }

  private synchronized M take(NodeOptions options, Function<RunOutput, M> open) {
    @Nullable Entry<M> entry = entries.get(options);
    if (entry == null) {
      freeUnused();
      entry = new Entry<>(open(open));
      entries.put(options, entry);
    }
    entry.tasks++;
    return entry.model;
  }

  private M open(Function<RunOutput, M> open) {
    RunOutput output = RunOutput.silent(Progress.NONE);
    M model = open.apply(output);
    output.warnings().forEach(LOG::warn);
    return model;
  }

  private void freeUnused() {
    Iterator<Entry<M>> all = entries.values().iterator();
    while (all.hasNext()) {
      Entry<M> entry = all.next();
      if (entry.tasks == 0) {
        all.remove();
        try {
          entry.model.close();
        } catch (Exception e) {
          LOG.warn("a model was not freed", e);
        }
      }
    }
  }

  private synchronized void release(NodeOptions options) {
    Entry<M> entry = entries.get(options);
    if (entry != null) {
      entry.tasks--;
    }
  }
}
