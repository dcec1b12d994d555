package mangakai;

import java.nio.file.Path;
import org.elasticsearch.cluster.metadata.RepositoryMetadata;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.blobstore.BlobPath;
import org.elasticsearch.common.blobstore.BlobStore;
import org.elasticsearch.common.blobstore.fs.FsBlobStore;
import org.elasticsearch.common.util.BigArrays;
import org.elasticsearch.indices.recovery.RecoverySettings;
import org.elasticsearch.repositories.blobstore.BlobStoreRepository;
import org.elasticsearch.xcontent.NamedXContentRegistry;

/** A repository in a folder: as Elasticsearch's own of type `fs`, which insists on a setting for the folder. */
final class FolderRepository extends BlobStoreRepository {
    private final Path folder;

    FolderRepository(
        RepositoryMetadata metadata, Path folder, NamedXContentRegistry parsers,
        ClusterService cluster, BigArrays arrays, RecoverySettings recovery) {
        super(metadata, parsers, cluster, arrays, recovery, BlobPath.EMPTY);
        this.folder = folder;
    }

    @Override
    protected BlobStore createBlobStore() throws Exception {
        return new FsBlobStore(bufferSize, folder, isReadOnly());
    }
}
